// The text of a thing: from place to place that a query found, and copies of a passage.
"use strict";

(() => {
  const { find, findAll, hasShortcuts, say } = window.pages;
  const TYPED = "input, textarea, select, video, audio, [contenteditable]";
  const PASSAGE = ".passages > li";
  const DONE = 2000; // ms for which a button says that it has copied

  const addressOf = (position) => {
    const address = new URL(location.href);
    address.searchParams.set("at", position);
    address.hash = `p${position}`;
    return address;
  };

  // -- the places that were found

  const bar = () => find("[data-places]");
  const places = () => bar()?.dataset.places.split(" ") ?? [];

  /** The number of the place that the address names, from 0; -1 where it names none. */
  const present = () => {
    const at = new URL(location.href).searchParams.get("at");
    const named = document.getElementById(at === null ? location.hash.slice(1) : `p${at}`);
    return places().indexOf(named?.closest(PASSAGE)?.id.slice(1));
  };

  const tell = (number) => {
    const told = `${number + 1} of ${places().length}`;
    find("[data-number]", bar()).textContent = told;
    return told;
  };

  /** Show a place; a part of the text that is not here is loaded. */
  const show = (number) => {
    const position = places()[number];
    const address = addressOf(position);
    const passage = document.getElementById(`p${position}`)?.closest(PASSAGE);
    if (!passage) {
      location.assign(address);
      return;
    }
    history.replaceState(null, "", address);
    for (const each of findAll("[data-shown]")) delete each.dataset.shown;
    passage.parentElement.dataset.moved = ""; // `:target` is where the page was opened
    passage.dataset.shown = "";
    (find(".sentence, mark", passage) ?? passage).scrollIntoView({ block: "center" });
    say(tell(number));
  };

  const move = (by) => {
    const all = places().length;
    const now = present();
    if (all) show(now < 0 ? (by > 0 ? 0 : all - 1) : (now + by + all) % all);
    return all > 0;
  };

  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-move]");
    if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    move(Number(link.dataset.move));
  });

  if (present() >= 0) tell(present());
  else if (location.hash === "#text") move(1); // the form was sent

  // An address may name a passage of another part alone.
  const [, named] = /^#p(\d+)$/.exec(location.hash) ?? [];
  const parts = find("[data-parts]");
  if (parts && named && Number(named) < Number(parts.dataset.parts) && !document.getElementById(`p${named}`)) {
    location.replace(addressOf(named));
  }

  // -- the keyboard: n and p from place to place, j and k from passage to passage, / to the field

  const step = (by) => {
    const all = findAll(PASSAGE);
    const now = all.findIndex((each) => each.contains(document.activeElement));
    const next = all[now < 0 ? (by > 0 ? 0 : -1) : now + by];
    if (!next) return false;
    (find("a.line", next) ?? next).focus();
    offer(find(PART, next));
    return true;
  };

  const keys = {
    n: () => move(1),
    p: () => move(-1),
    j: () => step(1),
    k: () => step(-1),
    "/": () => {
      find("#find")?.select();
      return Boolean(find("#find"));
    },
  };

  document.addEventListener("keydown", (event) => {
    const { key, target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || target.matches(TYPED)) return;
    if (!hasShortcuts()) return;
    if (Object.hasOwn(keys, key) && keys[key]()) event.preventDefault();
  });

  // -- copies of a passage, or of a line of a recording

  const PART = ".line, .passages > li > [data-words]";
  const partOf = (node) => (node instanceof Element ? node : node?.parentElement)?.closest(PART);

  const offer = (part) => {
    const copies = find("[data-copies]");
    if (!part || !copies || copies.previousElementSibling === part) return;
    find("textarea", copies).hidden = true;
    copies.hidden = false;
    part.after(copies);
  };

  const selected = () => {
    const selection = getSelection();
    const part = selection.isCollapsed ? null : partOf(selection.anchorNode);
    return part?.contains(selection.focusNode) ? part : null;
  };

  /** The address of a part here. */
  const linkTo = (part) => {
    const { id } = part.closest("li");
    const address = new URL(location.pathname, location.href);
    if (part.closest("[data-parts]")) address.searchParams.set("at", id.slice(1));
    address.hash = id;
    return address.href;
  };

  /** What is selected of a part, or all of it, with where it stands in the original. */
  const quoteOf = (part) => {
    const { link, place } = part.dataset;
    const words = selected() === part ? String(getSelection()) : (find("[data-words]", part) ?? part).textContent;
    const where = place ?? find(".place", part).lastChild.textContent;
    const source = [find("[data-name]").textContent, where].map((each) => each.trim()).filter(Boolean);
    return `“${words.trim()}”\n${source.join(", ")}\n${link ?? part.href ?? linkTo(part)}`;
  };

  const copy = async (button) => {
    const copies = button.parentElement;
    const part = copies.previousElementSibling;
    const text = button.dataset.copy === "link" ? linkTo(part) : quoteOf(part);
    const field = find("textarea", copies);
    try {
      await navigator.clipboard.writeText(text);
      field.hidden = true;
      say("Copied");
      button.dataset.done = "";
      setTimeout(() => delete button.dataset.done, DONE);
    } catch { // without HTTPS there is no clipboard
      field.value = text;
      field.hidden = false;
      field.select();
      say("Copy the selected text.");
    }
  };

  let pressed = false; // a selection that is being made moves no text

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) copy(button);
    else offer(partOf(event.target));
  });
  document.addEventListener("mousedown", (event) => {
    pressed = true;
    if (event.target.closest("[data-copy]")) event.preventDefault(); // the selection stays
  });
  document.addEventListener("mouseup", () => {
    pressed = false;
    offer(selected());
  });
  document.addEventListener("selectionchange", () => {
    if (!pressed) offer(selected());
  });
  document.addEventListener("focusin", ({ target }) => {
    if (target.matches("a.line:focus-visible")) offer(target);
  });

  const begin = () => {
    for (const each of findAll(PASSAGE)) each.tabIndex = -1;
  };
  addEventListener("refreshed", begin);
  begin();
})();
