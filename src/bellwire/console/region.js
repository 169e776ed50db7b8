// A part of a page that the server writes as HTML. What is done in it is told to the server by the names in its markup:
//   data-action="pause"         a button that is pressed, or a form that is sent (with its values)
//   data-live="filter"          a form whose values are sent while one types
// Painting anew keeps what is unfolded and the dialogs that are open, by id, and the focus, by what has it.

const TYPING_MS = 250;
const FOCUSABLE = "a[href], button, input, select, textarea, summary, [tabindex]";

// Which button was pressed last outside of a dialog: the focus returns to it, even if it was painted anew meanwhile.
let opener = null;

// What stays the same of an element when the server writes it anew.
function markOf(element) {
  const named = ["id", "href", "name", "aria-label"].map((name) => element.getAttribute(name));
  return JSON.stringify([element.closest("[id]")?.id, element.tagName, named, { ...element.dataset }]);
}

function focusable(root) {
  return [...root.querySelectorAll(FOCUSABLE)].filter((one) => one.checkVisibility());
}

// Where the focus is: by mark, and for what is gone later by its number.
function placeOf(root, element) {
  const all = focusable(root);
  const mark = markOf(element);
  const alike = all.filter((one) => markOf(one) === mark);
  return { mark, turn: alike.indexOf(element), number: all.indexOf(element) };
}

function focusAt(root, place) {
  const all = focusable(root);
  const alike = all.filter((one) => markOf(one) === place.mark);
  const found = alike[Math.min(place.turn, alike.length - 1)] ?? all[Math.min(place.number, all.length - 1)];
  (found ?? document.getElementById("main"))?.focus({ preventScroll: true });
}

function valuesOf(form) {
  const values = {};
  for (const [name, value] of new FormData(form)) {
    values[name] = name in values ? [].concat(values[name], value) : value;
  }
  return values;
}

export default {
  template: "<div></div>",
  props: { html: String, limit: Number },
  data() {
    return { painted: null, timer: null };
  },
  mounted() {
    const root = this.$el;
    root.addEventListener("click", (event) => {
      const button = event.target.closest("button[data-action]");
      if (!button || button.type === "submit") return;
      if (!button.closest("dialog")) opener = { root, place: placeOf(root, button) };
      if (button.dataset.opens) {
        document.getElementById(button.dataset.opens).showModal();
        return;
      }
      button.closest("dialog")?.close();
      this.tell(button.dataset.action, { ...button.dataset });
    });
    root.addEventListener("submit", (event) => {
      const form = event.target;
      if (!form.dataset.action) return;
      event.preventDefault();
      clearTimeout(this.timer);
      this.tell(form.dataset.action, valuesOf(form));
    });
    root.addEventListener(
      "close",
      (event) => {
        // The browser gives the focus back to the very button, if that is still there.
        const isLost = document.activeElement === document.body || event.target.contains(document.activeElement);
        if (opener && isLost) focusAt(opener.root, opener.place);
      },
      true, // it does not bubble
    );
    for (const kind of ["input", "change"]) {
      root.addEventListener(kind, (event) => {
        const form = event.target.closest("form[data-live]");
        if (!form) return;
        clearTimeout(this.timer);
        this.timer = setTimeout(() => this.tell(form.dataset.live, valuesOf(form)), kind === "change" ? 0 : TYPING_MS);
      });
    }
    if (root.classList.contains("bounded")) root.tabIndex = 0; // what scrolls has to be reached by keyboard
    this.paint();
  },
  updated() {
    this.paint();
  },
  methods: {
    tell(action, values) {
      this.$emit("tell", { action, values });
    },
    paint() {
      if (this.html === this.painted) return;
      const root = this.$el;
      const has = document.activeElement !== root && root.contains(document.activeElement);
      const focused = has ? placeOf(root, document.activeElement) : null;
      const asking = [...root.querySelectorAll("dialog[open][id]")].map((dialog) => dialog.id);
      const unfolded = [...root.querySelectorAll("details[open][id]")].map((details) => details.id);
      const scrolled = [...root.querySelectorAll("[data-keep-scroll][id]")].map((part) => [part.id, part.scrollTop]);
      root.innerHTML = this.html;
      this.painted = this.html;
      for (const id of unfolded) document.getElementById(id)?.setAttribute("open", "");
      for (const [id, top] of scrolled) {
        const part = document.getElementById(id);
        if (part) part.scrollTop = top;
      }
      for (const id of asking) root.querySelector(`dialog[id="${id}"]`)?.showModal();
      root.querySelectorAll("dialog[data-open]").forEach((dialog) => dialog.showModal());
      root.querySelectorAll("[data-keep-bottom]").forEach((part) => (part.scrollTop = part.scrollHeight));
      if (focused) focusAt(root, focused);
    },
    // Put rows before the others of the first table, and let the oldest go.
    prepend(rows, limit) {
      const body = this.$el.querySelector("tbody");
      if (!body) return;
      body.insertAdjacentHTML("afterbegin", rows);
      while (body.rows.length > limit && !body.rows[body.rows.length - 1].contains(document.activeElement)) {
        body.deleteRow(-1);
      }
    },
    // Set the value of a field, as if it had been typed.
    fill(id, value) {
      const field = document.getElementById(id);
      if (!field) return;
      field.value = value;
      field.dispatchEvent(new Event("change", { bubbles: true }));
    },
    focus(id) {
      document.getElementById(id)?.focus();
    },
  },
};
