"use strict";
// Small pieces that the other parts share. What models said is hostile: text nodes, never markup.
const root = document.documentElement;
const data = JSON.parse(document.getElementById("item-data").textContent);

const element = (name, className, ...children) => {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
};
const words = (ja, en) => (root.dataset.shown === "ja" ? ja : en);
const find = (id) => document.getElementById(id);
const count = (n) => n.toLocaleString("en-US");
const whoOf = (entry) => `${entry.system} · ${entry.method}`;

function image(className, text, name) {
  const made = element("span", className, text);
  made.setAttribute("role", "img");
  made.setAttribute("aria-label", name);
  made.title = name;
  return made;
}

function fold(ja, en, ...children) {
  return element("details", "fold", element("summary", "", words(ja, en)), ...children);
}

// A box that scrolls can be scrolled by keys alone.
function scrolling(className, ...children) {
  const made = element("div", className, ...children);
  made.tabIndex = 0;
  return made;
}
