// A part of a page that the server writes as HTML. What is done in it is told to the server by the names in its markup:
//   data-action="pause"         a button that is pressed, or a form that is sent (with its values)
//   data-live="filter"          a form whose values are sent while one types
// Painting anew keeps focus and what is unfolded, by id.

const TYPING_MS = 250;

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
      const focused = root.contains(document.activeElement) ? document.activeElement.id : "";
      const unfolded = [...root.querySelectorAll("details[open][id]")].map((details) => details.id);
      const scrolled = [...root.querySelectorAll("[data-keep-scroll][id]")].map((part) => [part.id, part.scrollTop]);
      root.innerHTML = this.html;
      this.painted = this.html;
      for (const id of unfolded) document.getElementById(id)?.setAttribute("open", "");
      for (const [id, top] of scrolled) {
        const part = document.getElementById(id);
        if (part) part.scrollTop = top;
      }
      root.querySelectorAll("dialog[data-open]").forEach((dialog) => dialog.showModal());
      root.querySelectorAll("[data-keep-bottom]").forEach((part) => (part.scrollTop = part.scrollHeight));
      if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    },
    // Put rows before the others of the first table, and let the oldest go.
    prepend(rows, limit) {
      const body = this.$el.querySelector("tbody");
      if (!body) return;
      body.insertAdjacentHTML("afterbegin", rows);
      while (body.rows.length > limit) body.deleteRow(-1);
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
