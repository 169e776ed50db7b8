// What works on every page of the console, signed in or not: the theme, and filling in a value.
"use strict";

const THEME = "bellwire-theme";
const SIGN_IN = new URL("../sign-in", document.currentScript.src);
const LOST_MS = 3000; // between two looks at whether a lost connection can come back

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  document.querySelectorAll("[data-theme-toggle]").forEach((button) => {
    const other = theme === "dark" ? "light" : "dark";
    button.setAttribute("aria-label", `Use the ${other} theme`);
    button.title = `Use the ${other} theme`;
  });
}

document.addEventListener("click", (event) => {
  const toggle = event.target.closest("[data-theme-toggle]");
  if (toggle) {
    const theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    localStorage.setItem(THEME, theme);
    setTheme(theme);
    window.dispatchEvent(new Event("resize")); // charts take the colours of the theme when they are drawn
    return;
  }
  const fill = event.target.closest("[data-fill]");
  if (fill) {
    const field = document.getElementById(fill.dataset.fill);
    field.value = fill.dataset.with;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.focus();
  }
});

// "/" goes to the page's search, as in many tools of operators.
document.addEventListener("keydown", (event) => {
  const isTyping = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
    const search = document.querySelector("[data-search]");
    if (search) {
      event.preventDefault();
      search.focus();
    }
  }
});

// NiceGUI's own note only says that it tries again, not what whoever reads it can do.
function sayHowConnectionComesBack() {
  const said = document.querySelector("#popup span:last-child");
  if (said) {
    said.textContent =
      "The server does not answer. If it was stopped, start it again; else its log says what is wrong. " +
      "This page goes on by itself.";
    setInterval(signInAgain, LOST_MS, said.parentElement);
  }
}

// Sessions end with the server's process, and without one a socket is refused for ever. The sign-in page leads those who
// are signed in on, and answers all others itself; it leads them back to where they were.
async function signInAgain(popup) {
  if (popup.ariaHidden !== "false") return;
  const answer = await fetch(SIGN_IN, { method: "HEAD", redirect: "manual", cache: "no-store" }).catch(() => null);
  if (answer?.ok) window.location.reload();
}

document.addEventListener("DOMContentLoaded", () => {
  setTheme(document.documentElement.dataset.theme);
  sayHowConnectionComesBack();
});
