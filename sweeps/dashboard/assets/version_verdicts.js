/** The decisions that a version keeps: which of them is shown, and a table of all, in which each is a link. */

import { h } from "./dom.js";
import { counted, timeShown } from "./format.js";
import { stackedTable } from "./stacked_table.js";
import { badge } from "./verdict_view.js";

/**
 * Return the words that name the decision that is shown where it is not the one that counts, else null.
 * `whole` is what the server tells of a version; `hrefOf(number)` is the address of a decision, that of null leads to the one that counts.
 */
export function shownWords({ number, verdicts }, hrefOf) {
  const shown = verdicts.find((each) => each.number === number);
  const counting = verdicts.find((each) => each.counts);
  if (!shown || shown.counts || !counting) return null;
  return h("p", { class: "note" }, `This is decision ${number}. What counts is `, h("a", { href: hrefOf(null) }, `decision ${counting.number}`), ".");
}

/** Return, in a few words, what promoted a version beside the decision that counts; null where nothing did, or that decision. */
export function promotedInShort({ verdict, promoted }) {
  if (!promoted || !verdict || verdict.promote) return null;
  return [h("span", { class: "hint" }, promoted.by_verdict ? "(another verdict promoted it)" : `(promoted by ${promoted.who})`), " "];
}

/** Return what promoted a version beside the decision that is shown, with a link to it where it is kept; null where nothing did, or that decision. */
export function promotedWords({ promoted }, { verdict, promoted_by: number }, hrefOf) {
  if (!promoted || !verdict || verdict.promote) return null;
  const when = timeShown(promoted.at);
  if (!promoted.by_verdict) return h("p", { class: "note" }, `${promoted.who} promoted it `, when, promoted.why ? `: ${promoted.why}` : ".");
  return h("p", { class: "note" }, "Another verdict promoted it ", when, number === null ? "; it is not kept." : [": ", h("a", { href: hrefOf(number) }, `decision ${number}`), "."]);
}

/** Return all decisions on a version, the newest first, as a part that is open where another than the one that counts is shown; null for a single one. */
export function allVerdicts({ number, verdicts }, version, hrefOf, isOpen) {
  if (verdicts.length < 2) return null;
  const row = (each) => h("tr", { class: each.number === number ? "is-shown" : null },
    h("th", { scope: "row", class: "n" }, h("a", { href: hrefOf(each.counts ? null : each.number), "aria-current": each.number === number ? "true" : null, "aria-label": `decision ${each.number}` }, each.number)),
    h("td", { class: "whole" }, badge(each.promote), each.counts ? [" ", h("span", { class: "tag accent" }, "counts")] : null),
    h("td", { class: "n" }, each.look),
    h("td", { class: "whole" }, timeShown(each.at)),
    h("td", { class: "wide" }, each.sentence));
  const heads = [{ name: "decision", kind: "n" }, { name: "outcome", plain: true }, { name: "look", kind: "n" }, { name: "judged" }, { name: "why", plain: true }];
  return h("details", { dataset: { key: "verdicts" }, open: isOpen || !verdicts.find((each) => each.number === number)?.counts },
    h("summary", null, `All ${counted(verdicts.length, "decision")} on this version`),
    h("p", { class: "hint" }, "The one that counts is the newest that compared predictions or promoted; where there is none, the newest."),
    h("div", { class: "grid-box", tabIndex: 0, role: "region", "aria-label": `Table of decisions on version ${version}` },
      stackedTable("kept-verdicts", `Decisions on version ${version}, the newest first`, heads, verdicts.map(row))));
}
