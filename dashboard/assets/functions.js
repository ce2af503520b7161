/* How charts write their numbers; thin spaces between thousands, as in dashboard/frame/words.py. */
(function () {
  "use strict";
  const fixed = (value, digits) => Number(value).toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits }).replace(/,/g, "\u2009");
  const short = (value) => (Math.abs(value) >= 1e6 ? fixed(value / 1e6, 1) + " M" : fixed(value, Number.isInteger(value) || Math.abs(value) >= 100 ? 0 : 1));
  window.dashMantineFunctions = Object.assign({}, window.dashMantineFunctions, {
    count: (value) => short(value),
    minutes: (value) => fixed(value, Number.isInteger(value) ? 0 : 2) + " min",
    minutesAxis: (value) => fixed(value, Number.isInteger(value) ? 0 : 1),
    percent: (value) => fixed(value, value !== 0 && value < 10 ? 1 : 0) + " %",
    plain: (value) => fixed(value, 3),
    plainAxis: (value) => fixed(value, 2),
  });
})();
