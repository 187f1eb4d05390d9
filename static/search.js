// The page of results: the sentence that answers, one player, and the keyboard.
"use strict";

(() => {
  const { find, findAll, get, hasShortcuts } = window.pages;

  // -- the sentence that answers, by its meaning, for what somebody sees

  const AT_ONCE = 5; // passages of one request
  const section = find("[data-answers]");

  /** Put a passage in the place of an older one; what is open or has the focus stays so. */
  const replace = (old, fresh) => {
    if (!getSelection().isCollapsed && getSelection().containsNode(old, true)) return;
    const focused = old.contains(document.activeElement) ? document.activeElement : null;
    const wasOpen = find(".all", old)?.open;
    if (wasOpen && find(".all", fresh)) find(".all", fresh).open = true;
    old.replaceWith(fresh);
    if (focused) find(focused.localName, fresh)?.focus({ preventScroll: true });
  };

  const look = async (waiting) => {
    while (waiting.size) {
      const some = [...waiting].slice(0, AT_ONCE);
      for (const node of some) waiting.delete(node);
      const ids = some.map((node) => node.dataset.passage).join(",");
      const text = await get(`${section.dataset.answers}&passages=${ids}`, "text/html");
      const page = new DOMParser().parseFromString(text, "text/html");
      for (const old of some) {
        const fresh = find(`[data-passage="${old.dataset.passage}"]`, page);
        if (fresh && old.isConnected && !fresh.isEqualNode(old)) {
          replace(old, document.adoptNode(fresh));
        }
      }
    }
  };

  if (section) {
    const waiting = new Set();
    let looking = false;
    const seen = new IntersectionObserver(async (entries) => {
      for (const { target, isIntersecting } of entries) {
        if (!isIntersecting) continue;
        seen.unobserve(target);
        waiting.add(target);
      }
      if (looking) return;
      looking = true;
      try {
        await look(waiting);
        section.dataset.looked = "";
      } catch {
        waiting.clear(); // the words' choice stays
      }
      looking = false;
    });
    for (const node of findAll("[data-passage]", section)) seen.observe(node);
  }

  // -- one player for all recordings

  const stage = find("[data-stage]");
  let opened = null; // the link that opened the player

  const play = (link) => {
    const { play: element, title } = link.dataset;
    let player = find("[data-player]", stage);
    if (player?.localName !== element) {
      player?.remove();
      player = document.createElement(element);
      player.dataset.player = "";
      player.controls = true;
      stage.insertBefore(player, find("[data-close]", stage));
    }
    const [url, second] = link.href.split("#t=");
    if (player.src.split("#t=")[0] !== url) player.src = link.href;
    else player.currentTime = Number(second);
    player.setAttribute("aria-label", title);
    find("[data-playing]", stage).textContent = title;
    stage.hidden = false;
    opened = link;
    player.play().catch((error) => {
      // Not when somebody pauses it before it has begun.
      if (error.name === "NotSupportedError") location.assign(link.href);
    });
  };

  /** The link that opened the player, or the one that has taken its place. */
  const origin = () => {
    if (opened.isConnected) return opened;
    const { passage } = opened.closest("[data-passage]").dataset;
    return find(`[data-passage="${passage}"] [data-open]`);
  };

  const close = (event) => {
    find("[data-player]", stage).remove();
    stage.hidden = true;
    // Where a mouse closed it, the page stays where it is.
    origin()?.focus({ preventScroll: event.detail > 0 });
  };

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-play]");
    if (!link || !stage || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    play(link);
  });

  if (stage) find("[data-close]", stage).addEventListener("click", close);

  // -- the keyboard: j and k, or the arrows, from result to result; / to the query; Escape closes
  // the player

  const TYPED = "input, textarea, select, [contenteditable]";
  const PLACE = ".result, .far > summary";
  const query = find("#query");
  const places = () => findAll(PLACE).filter((each) => each.checkVisibility());
  const opener = (place) => find("[data-open]", place) ?? find("h3 a", place) ?? place;

  /** Go to the next place, or to the one before. Returns whether there is one. */
  const step = (by) => {
    const all = places();
    const now = all.findIndex((each) => each.contains(document.activeElement));
    const next = all[now < 0 && by < 0 ? all.length - 1 : now + by];
    const back = by < 0 && now === 0;
    if (back) query.focus();
    if (!next) return back;
    opener(next).focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
    return true;
  };

  /** Whether the key did something. */
  const press = (event) => {
    const { key, target } = event;
    const typing = target.matches(TYPED);
    const within = Boolean(target.closest(PLACE));
    if (key === "ArrowDown" && (target === query || within)) return step(1);
    if (key === "ArrowUp" && within) return step(-1);
    if (typing) return false;
    if (key === "Escape" && stage && !stage.hidden && !document.fullscreenElement) {
      close(event);
      return true;
    }
    if (!hasShortcuts()) return false;
    if (key === "j" || key === "k") return step(key === "j" ? 1 : -1);
    if (key !== "/") return false;
    query.focus();
    query.select();
    return true;
  };

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (press(event)) event.preventDefault();
  });
})();
