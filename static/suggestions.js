// What the search box suggests while somebody types: the person's earlier searches, and titles.
// The keys and roles are those of the combobox in the ARIA Authoring Practices Guide.
"use strict";

(() => {
  const { SEARCHES, find, findAll, get } = window.pages;

  const MOST_KEPT = 50;
  const MOST_OWN = 3; // earlier searches in one list
  const LEAST = 2; // characters
  const LONGEST = 200; // characters
  const REST = 150; // ms without a key before the server is asked

  const box = find("[data-suggest]");
  const field = find("#query");
  const list = document.createElement("ul");
  list.id = "suggestions";
  list.className = "suggestions";
  list.hidden = true;
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Suggestions");
  box.append(list);
  field.setAttribute("role", "combobox");
  field.setAttribute("aria-autocomplete", "list");
  field.setAttribute("aria-controls", list.id);
  field.setAttribute("aria-expanded", "false");

  // -- earlier searches, latest first, in this browser only

  const earlier = () => {
    try {
      const kept = JSON.parse(localStorage.getItem(SEARCHES));
      return Array.isArray(kept) ? kept.filter((each) => typeof each === "string") : [];
    } catch {
      return []; // the browser keeps nothing
    }
  };

  const keep = (query) => {
    if (!query || query.length > LONGEST) return;
    const others = earlier().filter((each) => each !== query);
    try {
      localStorage.setItem(SEARCHES, JSON.stringify([query, ...others].slice(0, MOST_KEPT)));
    } catch {
      // The browser keeps nothing.
    }
  };

  // -- the list

  const options = () => findAll("[role=option]", list);
  const chosen = () => find("[aria-selected=true]", list);

  const close = () => {
    list.hidden = true;
    list.replaceChildren();
    field.setAttribute("aria-expanded", "false");
    field.removeAttribute("aria-activedescendant");
  };

  const option = (text, own, number) => {
    const item = document.createElement("li");
    item.id = `suggestion-${number}`;
    item.dataset.text = text;
    item.setAttribute("role", "option");
    item.setAttribute("aria-selected", "false");
    const words = document.createElement("span");
    words.dir = "auto";
    words.textContent = text;
    item.append(words);
    if (own) {
      const hint = document.createElement("span");
      hint.className = "hint";
      hint.textContent = "searched before";
      item.append(" ", hint);
    }
    return item;
  };

  const show = (own, titles) => {
    const others = titles.filter((title) => !own.includes(title));
    const before = chosen()?.dataset.text;
    list.replaceChildren(
      ...own.map((text, number) => option(text, true, number)),
      ...others.map((text, number) => option(text, false, own.length + number)),
    );
    if (!list.childElementCount) return close();
    list.hidden = false;
    field.setAttribute("aria-expanded", "true");
    mark(options().find((each) => each.dataset.text === before));
  };

  /** Choose an option, or none. */
  const mark = (item) => {
    chosen()?.setAttribute("aria-selected", "false");
    item?.setAttribute("aria-selected", "true");
    item?.scrollIntoView({ block: "nearest" });
    if (item) field.setAttribute("aria-activedescendant", item.id);
    else field.removeAttribute("aria-activedescendant");
  };

  /** Choose the next option, or the one before; between the last and the first is none. */
  const step = (by) => {
    const all = [null, ...options()];
    const now = all.indexOf(chosen());
    mark(all[(now + by + all.length) % all.length]);
  };

  /** A title as a query: nothing in it is syntax. */
  const plain = (title) =>
    title
      .replaceAll('"', " ")
      .replace(/(^|\s)-+(?=\S)/g, "$1")
      .replace(/([a-z]+):(?=\S)/gi, (whole, name) => (field.form.elements[name.toLowerCase()] ? `${name} ` : whole));

  const search = (item) => {
    const { text } = item.dataset;
    field.value = find(".hint", item) ? text : plain(text);
    field.form.requestSubmit(find(".primary", field.form));
  };

  // -- what was typed

  let timer = 0;
  let turn = 0; // an answer to an earlier one comes too late

  const dismiss = () => {
    clearTimeout(timer);
    turn += 1;
    close();
  };

  /** The titles in the list that still fit: the server's answer takes a moment. */
  const titlesShown = (same) =>
    options()
      .filter((each) => !find(".hint", each) && each.dataset.text.toLowerCase().includes(same))
      .map((each) => each.dataset.text);

  const suggest = () => {
    const typed = field.value.trim();
    if (typed.length < LEAST || typed.length > LONGEST) return dismiss();
    clearTimeout(timer);
    turn += 1;
    const mine = turn;
    const same = typed.toLowerCase();
    const own = earlier()
      .filter((each) => each.toLowerCase().includes(same) && each.toLowerCase() !== same)
      .slice(0, MOST_OWN);
    show(own, titlesShown(same));
    timer = setTimeout(async () => {
      try {
        const url = `${box.dataset.suggest}?query=${encodeURIComponent(typed)}`;
        const { suggestions } = await get(url, "application/json");
        if (turn !== mine) return;
        show(own, suggestions.filter((title) => title.toLowerCase() !== same));
      } catch {
        // The search box works without.
      }
    }, REST);
  };

  field.addEventListener("input", suggest);
  field.addEventListener("blur", dismiss);
  field.form.addEventListener("submit", () => {
    dismiss();
    keep(field.value.trim());
  });

  field.addEventListener("keydown", (event) => {
    const { key } = event;
    if (list.hidden || event.isComposing || event.ctrlKey || event.metaKey) return;
    if (key === "ArrowDown") step(1);
    else if (key === "ArrowUp") step(-1);
    else if (key === "Escape") dismiss();
    else if (key === "Enter" && chosen()) search(chosen());
    else return;
    event.preventDefault();
  });

  // A press would take the focus from the field.
  list.addEventListener("mousedown", (event) => event.preventDefault());
  list.addEventListener("click", (event) => {
    const item = event.target.closest("[role=option]");
    if (item) search(item);
  });
})();
