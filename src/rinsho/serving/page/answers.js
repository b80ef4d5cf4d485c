// What a head says about a whole note: one line for each of its questions, as text.

const percent = (share) => `${Math.round(100 * share)}%`;

/** Return what is said to one question, with how likely the head finds it. */
function words(answer, texts) {
  if (answer.value !== undefined) return String(Math.round(1000 * answer.value) / 1000);
  const labels = answer.labels ?? [answer.label];
  if (labels.length === 0) return texts.noLabel;
  return labels.map((label) => `${label} (${percent(answer.probabilities[label])})`).join(", ");
}

/** Put the answers into a description list; without any it is hidden. */
export function showAnswers(list, answers, texts) {
  list.hidden = answers.length === 0;
  list.replaceChildren(...answers.flatMap((answer) => {
    const [name, said] = [document.createElement("dt"), document.createElement("dd")];
    name.textContent = answer.task || texts.onlyTask;
    said.textContent = words(answer, texts);
    return [name, said];
  }));
}
