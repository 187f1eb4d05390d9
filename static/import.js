// The lines of an import, or the entries of a list, and how many came to which end.
"use strict";

(() => {
  const { FINISHED, find, findAll, get, inWords, localTimes, repeat, say, statusOf } = window.pages;

  const ACTS = { pause: /^running$/, resume: /^paused$/, undo: /^(running|paused|done)$/ };
  const ACTS_OF_CLOSED_LIST = { pause: /^running$/, resume: /^paused$/ };
  const ACTS_OF_LIST = { pause: /^(running|done)$/, resume: /^paused$/, look: /^(running|done)$/ };
  const MOVES = /^(running|undoing)$/;
  const capitalized = (text) => text[0].toUpperCase() + text.slice(1);

  const showLine = (row, line) => {
    const thing = find("[data-thing]", row);
    const status = find("[data-status]", row);
    row.dataset.outcome = line.outcome;
    find("[data-fate]", row).textContent = capitalized(line.outcome);
    find("[data-why]", row).textContent = line.message;
    find("[data-url]", row).hidden = Boolean(line.asset_id);
    thing.hidden = !line.asset_id;
    thing.href = line.asset_id ? `/assets/${line.asset_id}` : "";
    thing.textContent = line.title ?? find("[data-url]", row).textContent;
    status.hidden = !line.status;
    status.dataset.status = line.status ?? "";
    status.textContent = line.status ? inWords(line.status) : "";
  };

  const actsOf = (made) => {
    if (!made.list) return ACTS;
    return made.look_again_at ? ACTS_OF_LIST : ACTS_OF_CLOSED_LIST;
  };

  /** Show what a look for new entries has found. */
  const refresh = async (section) => {
    const page = new DOMParser().parseFromString(await get(location.pathname, "text/html"), "text/html");
    const fresh = find("section[data-import]", page);
    if (!fresh) return;
    localTimes(fresh);
    section.replaceWith(document.adoptNode(fresh));
    say(find("[data-following]", fresh)?.textContent.trim() ?? "");
    watchImports();
  };

  const watchImport = (section) => {
    const rows = new Map(findAll("[data-line]", section).map((row) => [row.dataset.line, row]));
    const badge = find("[data-state]", section);
    const state = () => badge.dataset.state;
    const busy = (row) => !find("[data-thing]", row).hidden && !FINISHED.test(statusOf(row));

    const looking = () => Boolean(find("[data-looking]", section));

    const look = async () => {
      const answer = await get(section.dataset.import, "application/json");
      const now = answer.import.state;
      if (now !== state()) say(`The import is ${now}.`);
      badge.dataset.state = now;
      badge.textContent = capitalized(now);
      const acts = actsOf(answer.import);
      for (const [name, states] of Object.entries(acts)) {
        for (const act of findAll(`[data-act=${name}]`, section)) act.hidden = !states.test(now);
      }
      for (const count of findAll("[data-count], [data-things]", section)) {
        const { import: told } = answer;
        const number = count.dataset.count ? told.counts[count.dataset.count] : told.things[count.dataset.things];
        count.textContent = number.toLocaleString("en");
        if (count.closest(".tally")) count.parentElement.hidden = !number;
      }
      if (looking() && !answer.import.looking) {
        await refresh(section);
        return;
      }
      for (const line of answer.lines) {
        const row = rows.get(String(line.number));
        if (row) showLine(row, line);
      }
    };
    const underWay = () => Number(find("[data-things='under way']", section)?.textContent ?? 0);
    repeat(look, () => section.isConnected
      && (MOVES.test(state()) || looking() || underWay() > 0 || [...rows.values()].some(busy)));
  };

  const watchImports = () => {
    for (const section of findAll("section[data-import]:not([data-watched])")) {
      section.dataset.watched = "";
      watchImport(section);
    }
  };
  watchImports();
  addEventListener("refreshed", watchImports); // the page of a list has its entries now
})();
