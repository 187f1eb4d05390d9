// Makes the pages livelier; each of them works without this script.
"use strict";

(() => {
  const EVERY = 2000; // ms between two looks at things under way
  const AT_MOST = 30000; // ms, when the server does not answer
  const SEARCHES = "searches"; // where suggestions.js keeps earlier searches, in localStorage
  const REOPENED = 10000; // ms after which a form that was sent can be sent again
  const FINISHED = /^SEARCHABLE$|_ERROR$/;

  const find = (selector, root = document) => root.querySelector(selector);
  const findAll = (selector, root = document) => [...root.querySelectorAll(selector)];

  const inWords = (status) => {
    const words = status.replaceAll("_", " ").toLowerCase();
    return words[0].toUpperCase() + words.slice(1);
  };

  const say = (text) => {
    const line = document.createElement("p");
    line.textContent = text;
    find("#announcements").append(line);
  };

  const get = async (url, type) => {
    const answer = await fetch(url, { headers: { Accept: type }, credentials: "same-origin" });
    if (!answer.ok) throw new Error(`${url} answered ${answer.status}`);
    return type === "application/json" ? answer.json() : answer.text();
  };

  // -- times in the reader's own zone

  const localTimes = (root) => {
    const format = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
    for (const time of findAll("time[datetime]", root)) {
      time.title = time.textContent;
      time.textContent = format.format(new Date(time.dateTime));
    }
  };

  // -- one thing of the list

  const statusOf = (row) => find("[data-status]", row).dataset.status;

  /** Bring what its row shows up to date. */
  const show = (row, asset) => {
    const badge = find("[data-status]", row);
    const name = find("[data-name]", row);
    const changed = badge.dataset.status !== asset.status;
    const failed = asset.status.endsWith("_ERROR");
    badge.dataset.status = badge.title = asset.status;
    badge.textContent = inWords(asset.status);
    if (asset.title) name.textContent = asset.title;
    find("[data-problem]", row).hidden = !asset.error || asset.status === "SEARCHABLE";
    find("[data-error]", row).textContent = asset.error ?? "";
    find("[data-waiting]", row).hidden = failed;
    find("[data-retry]", row).hidden = !failed;
    if (changed) say(`${name.textContent}: ${inWords(asset.status)}`);
  };

  // -- the list

  /** The number in words; with a plus where counting has stopped at the limit. */
  const capped = (number, limit) => number.toLocaleString("en") + (number >= limit ? "+" : "");

  const AT_ONCE = 40; // rows that are asked for

  const watchList = (section) => {
    const rows = findAll("[data-asset]", section);
    const busy = () => rows.filter((row) => !FINISHED.test(statusOf(row)));

    const look = async () => {
      const asked = busy().slice(0, AT_ONCE);
      const ids = asked.map((row) => row.dataset.asset).join(",");
      const answer = await get(`${section.dataset.poll}?watch=${ids}`, "application/json");
      const assets = new Map(answer.assets.map((asset) => [asset.id, asset]));
      for (const row of asked) {
        const asset = assets.get(row.dataset.asset);
        if (asset) show(row, asset);
        else row.remove(); // deleted
      }
      for (const gone of rows.filter((row) => !row.isConnected)) rows.splice(rows.indexOf(gone), 1);
      const counter = find("[data-under-way]", section);
      counter.hidden = !answer.under_way;
      const number = find("[data-number]", counter);
      number.textContent = capped(answer.under_way, Number(number.dataset.limit));
    };
    repeat(look, () => busy().length > 0);
  };

  // -- the field for URLs: Enter sends one line; of several it makes one more

  const field = find("[data-enter]");

  field?.addEventListener("keydown", (event) => {
    const { key, shiftKey, isComposing } = event;
    if (key !== "Enter" || shiftKey || isComposing || field.value.includes("\n")) return;
    event.preventDefault();
    field.form.requestSubmit(find(".primary", field.form));
  });
  const grow = () => {
    field.rows = Math.min(field.value.split("\n").length, 12);
  };
  field?.addEventListener("input", grow);

  /** `look` again and again while `wanted`, and only while somebody can see it. */
  const repeat = (look, wanted) => {
    let pause = EVERY;
    let timer = 0;
    let looking = false;

    const turn = async () => {
      if (looking || document.hidden || !wanted()) return;
      looking = true;
      try {
        await look();
        pause = EVERY;
      } catch {
        pause = Math.min(pause * 2, AT_MOST); // the server is away: the page stays as it is
      }
      looking = false;
      later();
    };
    const later = () => {
      clearTimeout(timer);
      timer = setTimeout(turn, pause);
    };
    document.addEventListener("visibilitychange", () => {
      clearTimeout(timer);
      turn();
    });
    later();
  };

  // -- forms are sent once

  /** Disable the buttons of a form; the one that was pressed says what it does. */
  const close = (form, pressed) => {
    for (const button of findAll("button", form)) {
      button.disabled = true;
      if (button.dataset.busy && (pressed ?? button) === button) {
        button.dataset.idle = button.textContent;
        button.textContent = button.dataset.busy;
      }
    }
  };

  const reopen = () => {
    for (const button of findAll("button:disabled")) {
      button.disabled = false;
      button.textContent = button.dataset.idle ?? button.textContent;
    }
  };

  let reopening = 0;

  document.addEventListener("submit", ({ target, submitter }) => {
    // The browser reads the form after this event, and leaves out a button that is disabled.
    setTimeout(() => close(target, submitter));
    clearTimeout(reopening);
    reopening = setTimeout(reopen, REOPENED); // who has pressed Stop is on this page still
  });

  document.addEventListener("keydown", ({ key }) => {
    if (key === "Escape") reopen();
  });

  addEventListener("pageshow", (event) => {
    if (event.persisted) reopen();
  });

  // -- shortcuts of one key can be turned off: who speaks to the computer presses them unawares

  const SHORTCUTS = "shortcuts"; // in localStorage
  const OFF = "off";
  let shortcuts = true;
  try {
    shortcuts = localStorage.getItem(SHORTCUTS) !== OFF;
  } catch {
    // The browser keeps nothing.
  }
  const toggle = find("[data-shortcuts]");

  const showToggle = () => {
    toggle.textContent = `Turn ${shortcuts ? "off" : "on"} keyboard shortcuts`;
    toggle.hidden = false;
  };

  toggle?.addEventListener("click", () => {
    shortcuts = !shortcuts;
    showToggle();
    try {
      localStorage.setItem(SHORTCUTS, shortcuts ? "on" : OFF);
    } catch {
      // The browser keeps nothing: it holds for this page.
    }
  });
  if (toggle) showToggle();

  // The next person at this browser does not see what was searched for.
  find('.top form[action$="/logout"]')?.addEventListener("submit", () => {
    try {
      localStorage.removeItem(SEARCHES);
    } catch {
      // The browser keeps nothing.
    }
  });

  localTimes(document);
  for (const section of findAll("section[data-poll]")) watchList(section);

  const hasShortcuts = () => shortcuts;
  window.pages = { FINISHED, SEARCHES, hasShortcuts, find, findAll, get, inWords, localTimes, repeat, say, statusOf };
})();
