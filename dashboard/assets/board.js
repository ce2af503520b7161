/* What must happen in the browser: the address and the controls follow each other, and a hidden tab rests. */
(function () {
  "use strict";
  const DEFAULT = { period: "15m", metric: "trips", end: "pickup" };
  const PERIODS = ["5m", "15m", "1h", "24h", "all"];
  const OURS = ["period", "paused", "theme", "area", "metric", "end"];
  const TICK = 1000, RESTING = 10000, LOST = 5;
  const set = (id, props) => window.dash_clientside.set_props(id, props);
  const nothing = () => window.dash_clientside.no_update;

  const WEBGL = (function () {
    try {
      return Boolean(document.createElement("canvas").getContext("webgl"));
    } catch (_error) {
      return false;
    }
  })();
  document.documentElement.classList.toggle("no-webgl", !WEBGL);

  function preferred() {
    return window.matchMedia && window.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  }

  function viewOf(search) {
    const given = new URLSearchParams(search || "");
    const query = {};
    for (const [name, value] of given) if (!OURS.includes(name)) query[name] = value;
    return {
      period: PERIODS.includes(given.get("period")) ? given.get("period") : DEFAULT.period,
      paused: given.get("paused") === "1",
      theme: ["light", "dark"].includes(given.get("theme")) ? given.get("theme") : preferred(),
      area: /^\d+$/.test(given.get("area") || "") ? Number(given.get("area")) : null,
      metric: given.get("metric") || DEFAULT.metric,
      end: given.get("end") || DEFAULT.end,
      zone: Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC",
      webgl: WEBGL,
      query: query,
    };
  }

  /* Change some parameters of the address; null removes one. `replace`: no new entry in the history. */
  function go(changes, replace) {
    const given = new URLSearchParams(window.location.search);
    for (const [name, value] of Object.entries(changes)) {
      if (value === null || value === undefined) given.delete(name); else given.set(name, value);
    }
    const search = given.toString() ? "?" + given.toString() : "";
    if (search === window.location.search) return;
    const address = window.location.pathname + search + window.location.hash;
    if (replace) window.history.replaceState({}, "", address); else window.history.pushState({}, "", address);
    window.dispatchEvent(new CustomEvent("_dashprivate_pushstate"));
  }

  function shared() {
    const given = new URLSearchParams(window.location.search);
    for (const name of Array.from(given.keys())) if (!OURS.includes(name)) given.delete(name);
    return given.toString() ? "?" + given.toString() : "";
  }

  function pressed(button, on, label) {
    const element = document.getElementById(button);
    if (!element) return;
    element.setAttribute("aria-pressed", String(on));
    element.setAttribute("aria-label", label);
    element.setAttribute("title", label);
  }

  /* When the board itself no longer answers, nobody else can say so. Ticks are counted, not seconds: a browser that was busy
     for a while has not waited for an answer meanwhile. */
  let silent = 0;
  window.setInterval(function () {
    const root = document.documentElement;
    const resting = document.hidden || root.classList.contains("paused");
    silent += 1;
    root.classList.toggle("lost", !resting && silent > LOST);
  }, TICK);

  document.addEventListener("visibilitychange", function () {
    silent = 0;
    set("tick", { interval: document.hidden ? RESTING : TICK });
  });

  window.dashAgGridFunctions = Object.assign({}, window.dashAgGridFunctions, {
    tripOfKey: function (params, setEventData) {
      if (params.event && params.event.key === "Enter") setEventData({ rowId: params.node.id });
    },
  });

  window.dash_clientside = Object.assign({}, window.dash_clientside, {
    board: {
      /* The address is the one truth; everything else follows it. */
      follow: function (search, pathname, before) {
        const view = viewOf(search);
        const route = pathname + "?" + new URLSearchParams(view.query).toString();
        pressed("pause", view.paused, view.paused ? "Go on" : "Pause");
        silent = 0;
        document.documentElement.classList.toggle("paused", view.paused);
        document.documentElement.dataset.theme = view.theme;
        for (const link of document.querySelectorAll("#navigation a")) {
          const href = link.getAttribute("href").split("?")[0] + shared();
          if (link.getAttribute("href") !== href) set(link.id, { href: href }); /* by its property: that is what a click follows */
        }
        return [view, route === before ? nothing() : route, view.period, view.theme, view.paused];
      },
      heard: function () {
        silent = 0;
        return nothing();
      },
      period: function (value) {
        if (value && value !== viewOf(window.location.search).period) go({ period: value });
        return nothing();
      },
      pause: function (clicks) {
        if (clicks) go({ paused: viewOf(window.location.search).paused ? null : "1" });
        return nothing();
      },
      theme: function (clicks) {
        if (clicks) go({ theme: viewOf(window.location.search).theme === "dark" ? "light" : "dark" }, true);
        return nothing();
      },
      metric: function (value) {
        if (value && value !== viewOf(window.location.search).metric) go({ metric: value }, true);
        return nothing();
      },
      end: function (value) {
        if (value && value !== viewOf(window.location.search).end) go({ end: value }, true);
        return nothing();
      },
      area: function (click) {
        const point = click && click.points && click.points[0];
        if (point && /^\d+$/.test(point.location)) go({ area: String(point.location) });
        return null;
      },
      /* Rows by their id: all of them, or what was added, changed and removed; what the grid has already is left alone. */
      trips: async function (news) {
        if (!news) return nothing();
        const grid = await window.dash_ag_grid.getApiAsync("trips-grid");
        const has = (id) => grid.getRowNode(id) !== undefined;
        if (news.rows) {
          grid.setGridOption("rowData", news.rows);
        } else {
          grid.applyTransaction({
            add: news.add.filter((row) => !has(row.trip_id)),
            addIndex: 0,
            update: news.update.filter((row) => has(row.trip_id)),
            remove: news.remove.filter(has).map((id) => ({ trip_id: id })),
          });
        }
        return nothing();
      },
      everywhere: function (clicks) {
        if (clicks) go({ area: null });
        return nothing();
      },
      navigation: function (opened, _route) {
        const byRoute = window.dash_clientside.callback_context.triggered.some((t) => t.prop_id === "route.data");
        const open = byRoute ? false : opened;
        return [{ width: 176, breakpoint: "sm", collapsed: { mobile: !open } }, open];
      },
    },
  });
})();
