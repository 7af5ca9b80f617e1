"""Style and script of the HTML report: constants, so that the page is one file and the script's digest can be pinned in it."""

from typing import Final

STYLE: Final = """
:root {
  color-scheme: light dark;
  --page: #f5f6f8; --card: #ffffff; --ink: #1b2330; --soft: #5a6575; --line: #dfe4ea; --code: #f7f8fa; --link: #2456c7;
  --critical: #a0145a; --high: #c02a1d; --medium: #8f5f00; --low: #08698c; --info: #56616e; --good: #1a7f4b;
  --mark: #ffe3a8; --added: #e3f6ea; --removed: #fde8e6;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0e1217; --card: #161b22; --ink: #e3e8ef; --soft: #98a3b1; --line: #2a323c; --code: #10151b; --link: #82aaff;
    --critical: #f371ae; --high: #ff7d73; --medium: #e2b23f; --low: #58c1e4; --info: #9ba6b3; --good: #56c98b;
    --mark: #5c4710; --added: #12301f; --removed: #3b1a1a;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main, .top > div { max-width: 1120px; margin: 0 auto; padding: 0 24px; }
code, pre, .place, .rule { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 13px; }
a { color: var(--link); text-decoration: none; }
a:hover { text-decoration: underline; }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; border-radius: 4px; }
.top { background: var(--card); border-bottom: 1px solid var(--line); padding: 26px 0 22px; margin-bottom: 22px; }
.top > div { display: flex; flex-wrap: wrap; align-items: baseline; gap: 4px 16px; }
h1 { font-size: 22px; line-height: 1.2; margin: 0; letter-spacing: -.01em; }
.top p { margin: 0; color: var(--soft); }
.verdict { margin-left: auto; font-weight: 600; font-size: 13px; padding: 3px 11px; border-radius: 99px; border: 1px solid; }
.verdict.pass { color: var(--good); } .verdict.fail { color: var(--high); }
.tiles { display: grid; grid-template-columns: repeat(5, 1fr); gap: 12px; margin-bottom: 14px; }
.tile { background: var(--card); border: 1px solid var(--line); border-top: 3px solid var(--tone); border-radius: 8px;
  padding: 10px 14px; display: flex; align-items: baseline; gap: 9px; cursor: pointer; user-select: none; }
.tile b { font-size: 24px; line-height: 1.2; font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); }
.tile input { margin-left: auto; accent-color: var(--tone); align-self: center; }
.tile.none b { color: var(--soft); font-weight: 400; }
.critical { --tone: var(--critical); } .high { --tone: var(--high); } .medium { --tone: var(--medium); }
.low { --tone: var(--low); } .info { --tone: var(--info); }
.filters { display: flex; flex-wrap: wrap; gap: 10px; align-items: center;
  position: sticky; top: 0; z-index: 2; padding: 10px 0; background: var(--page); }
.filters[hidden] { display: none; }
.filters input, .filters select, .filters button { font: inherit; font-size: 14px; color: var(--ink); background: var(--card);
  border: 1px solid var(--line); border-radius: 7px; padding: 6px 10px; min-width: 0; }
.filters input { flex: 1 1 240px; } .filters select { flex: 0 1 230px; text-overflow: ellipsis; } .filters button { cursor: pointer; }
.filters output { color: var(--soft); font-size: 14px; min-width: 7.5em; text-align: right; font-variant-numeric: tabular-nums; }
.panel { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 14px 18px; margin: 14px 0; }
.panel h2 { font-size: 15px; margin: 0 0 8px; }
.panel ul { margin: 0; padding: 0; list-style: none; }
.panel li { padding: 2px 0; overflow-wrap: anywhere; }
.panel.errors { border-left: 4px solid var(--high); } .panel.notices { border-left: 4px solid var(--low); }
.frequent li { display: grid; grid-template-columns: 3.2em 5em minmax(0, 1fr) minmax(60px, 26%); gap: 10px; align-items: center; }
.frequent b { text-align: right; font-variant-numeric: tabular-nums; }
.frequent .title { white-space: nowrap; overflow: hidden; text-overflow: ellipsis; color: var(--soft); }
.bar { height: 7px; border-radius: 4px; background: var(--line); overflow: hidden; }
.bar i { display: block; height: 100%; background: var(--tone); border-radius: 4px; }
.file { margin: 26px 0; content-visibility: auto; contain-intrinsic-size: auto 600px; }
.file > h2 { font-size: 15px; margin: 0 0 10px; display: flex; gap: 10px; align-items: baseline; overflow-wrap: anywhere; }
.file > h2 code { font-size: 14px; }
.file > h2 span { color: var(--soft); font-weight: 400; font-size: 13px; white-space: nowrap; }
.finding { background: var(--card); border: 1px solid var(--line); border-left: 4px solid var(--tone); border-radius: 8px;
  margin: 0 0 12px; padding: 12px 16px; scroll-margin-top: 64px; }
.finding:target { box-shadow: 0 0 0 2px var(--link); }
.finding > header { display: grid; grid-template-columns: auto auto minmax(0, 1fr) auto; gap: 3px 10px; align-items: baseline; }
.badge { color: var(--tone); border: 1px solid; border-radius: 99px; font-size: 11.5px; font-weight: 600;
  line-height: 1.45; padding: 0 8px; }
.rule { font-weight: 600; }
.message { overflow-wrap: anywhere; }
.name { color: var(--soft); font-size: 13px; white-space: nowrap; }
.place { color: var(--soft); white-space: nowrap; }
.code { margin: 9px 0 0; background: var(--code); border: 1px solid var(--line); border-radius: 6px;
  overflow-x: auto; padding: 6px 0; tab-size: 4; line-height: 1.6; }
.row { display: block; min-width: max-content; padding-right: 14px; }
.row > span { display: inline-block; min-width: 4.2em; padding: 0 12px 0 0; margin-right: 12px; text-align: right; color: var(--soft);
  border-right: 1px solid var(--line); user-select: none; }
.row > em { color: var(--soft); font-style: normal; }
.row.added { background: var(--added); } .row.removed { background: var(--removed); }
mark { background: var(--mark); color: inherit; border-radius: 3px; padding: 1px 0; box-shadow: 0 2px 0 var(--tone); }
mark.point { padding: 1px 2px; }
.label { margin: 9px 0 0; font-size: 13.5px; color: var(--soft); overflow-wrap: anywhere; }
.label b { color: var(--ink); font-weight: 600; }
details { margin-top: 9px; }
summary { cursor: pointer; color: var(--soft); font-size: 13.5px; width: fit-content; }
summary:hover { color: var(--ink); }
.advice { display: grid; grid-template-columns: 7.5em minmax(0, 1fr); gap: 6px 14px; margin: 8px 0 2px; font-size: 14px; }
.advice dt { color: var(--soft); } .advice dd { margin: 0; overflow-wrap: anywhere; }
.advice p, .advice ul, .advice pre { margin: 0 0 8px; }
.advice p:last-child, .advice ul:last-child, .advice pre:last-child { margin-bottom: 0; }
.advice ul { padding-left: 18px; }
.advice pre { background: var(--code); border: 1px solid var(--line); border-radius: 6px; padding: 8px 12px; overflow-x: auto; }
p code, li code, dd code { background: var(--code); border: 1px solid var(--line); border-radius: 4px; padding: 0 4px; font-size: 12.5px; }
.empty { text-align: center; padding: 46px 20px; } .empty b { display: block; font-size: 19px; color: var(--good); }
.empty span { color: var(--soft); }
footer { color: var(--soft); font-size: 13px; padding: 12px 0 40px; }
[hidden] { display: none !important; }
body:has(#show-critical:not(:checked)) .finding.critical, body:has(#show-high:not(:checked)) .finding.high,
body:has(#show-medium:not(:checked)) .finding.medium, body:has(#show-low:not(:checked)) .finding.low,
body:has(#show-info:not(:checked)) .finding.info { display: none; }
@media (max-width: 760px) {
  main, .top > div { padding: 0 14px; }
  .tiles { grid-template-columns: repeat(auto-fit, minmax(120px, 1fr)); }
  .verdict { margin-left: 0; }
  .finding > header { grid-template-columns: auto 1fr auto; } .finding > header .message { grid-column: 1 / -1; grid-row: 2; }
  .advice { grid-template-columns: 1fr; gap: 2px; } .advice dd { margin-bottom: 8px; }
  .filters { position: static; }
}
@media print {
  .filters, .tile input { display: none; }
  .finding { break-inside: avoid; } body { background: none; } .file { content-visibility: visible; }
}
"""

SCRIPT: Final = """
(() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const form = document.querySelector(".filters");
  if (!form) return;
  const findings = all(".finding").map((element) => ({ element, text: element.textContent.toLowerCase(), ...element.dataset }));
  const files = all(".file");
  const boxes = all(".tile input");
  const { text, rule, path, shown } = form.elements;
  const apply = () => {
    const words = text.value.toLowerCase().split(/\\s+/).filter(Boolean);
    const severities = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    let count = 0;
    for (const finding of findings) {
      const fits = severities.has(finding.severity) && (!rule.value || finding.rule === rule.value)
        && (!path.value || finding.path === path.value) && words.every((word) => finding.text.includes(word));
      finding.element.hidden = !fits;
      count += fits;
    }
    for (const file of files) file.hidden = !file.querySelector(".finding:not([hidden])");
    shown.value = count === findings.length ? `all ${count} shown` : `${count} of ${findings.length}`;
  };
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => { for (const box of boxes) box.checked = true; setTimeout(apply); });
  for (const box of boxes) box.addEventListener("change", apply);
  for (const link of all(".frequent a")) link.addEventListener("click", (event) => {
    event.preventDefault();
    rule.value = rule.value === link.dataset.rule ? "" : link.dataset.rule;
    apply();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !/INPUT|SELECT/.test(document.activeElement.tagName)) { event.preventDefault(); text.focus(); }
  });
  form.hidden = false;
  apply();
})();
"""
