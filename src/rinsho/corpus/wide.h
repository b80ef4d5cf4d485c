/* Loops over numbers are built twice: for every processor, and for those with AVX2; the same come
 * out, and the loader takes the one that fits.
 */
#if defined(__x86_64__) && defined(__ELF__)
#define WIDE __attribute__((target_clones("avx2", "default")))
#else
#define WIDE
#endif
