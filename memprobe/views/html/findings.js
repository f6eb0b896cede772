// Findings: what leaks, how fast, who holds it, which line, how sure, what to do, and what it rests on.

function finding(one, number, frames) {
  const title = element('h3', null, `${number}. ${one.kind}: ${one.title}`);
  const known = facts([
    ['severity', element('span', { class: 'severity' }, one.exhausts_in_s === null ? one.severity : `${one.severity}: ${one.limit} used up in ${timeOf(one.exhausts_in_s)}`)],
    ['sure', `${percentOf(one.confidence)}${one.confidence < 0.5 ? ', a suspect' : ''}, found after ${timeOf(one.detected_after_s)}`],
    ['what', amounts(one)],
    ['held by', one.holder && element('code', null, one.holder)],
    ['made at', one.site.length ? element('code', null, placeOf(one.site.map((place) => frames[place]))) : ''],
    ['age', one.age_s && `half of them ${timeOf(one.age_s.p50)} or more, the oldest ${timeOf(one.age_s.max)}`],
    ['known', one.known && knownText(one.known)],
    ['do', one.known ? one.known.advice : one.suggested_fix],
    ['see', one.known && one.known.source && link(one.known.source)],
  ]);
  const because = element('details', { open: number === 1 }, element('summary', null, 'Evidence'), list(one.evidence),
    one.limits.length ? element('p', { class: 'dim' }, `Not known: ${one.limits.join(' ')}`) : null);
  return element('article', { class: one.severity, id: one.id, 'aria-label': `${one.kind} ${one.id}` }, title, known, because,
    one.site.length ? stack(one.site, frames) : null, element('p', { class: 'dim' }, element('a', { href: `#${one.id}` }, one.id)));
}

/** Whose bug a known leak is, and which release has it not. */
function knownText({ package: name, version, fixed, title, pattern }) {
  const release = [name, version].filter(Boolean).join(' ');
  return `${release && `${release}${fixed && ` (fixed in ${fixed})`}: `}${title} [${pattern}]`;
}

/** A link to where something is told; anything but https is text. */
function link(address) {
  return address.startsWith('https://') ? element('a', { href: address, rel: 'noreferrer noopener' }, address) : address;
}

function amounts(one) {
  return [
    one.count !== null && `${numberOf(one.count)}${one.type ? ` x ${one.type}` : ''}`,
    one.added !== null && `${signed(numberOf(one.added), one.added)} since the attach`,
    one.count_per_s !== null && `${signed(numberOf(one.count_per_s), one.count_per_s)} a second`,
    one.bytes !== null && sizeOf(one.bytes),
    one.bytes_per_s !== null && `${sizeOf(one.bytes_per_s * 3600)} an hour`,
    one.cost_usd_per_month !== null && one.cost_usd_per_month >= 0.01 && `${one.cost_usd_per_month.toFixed(2)} USD a month as it is`,
  ].filter(Boolean).join(', ');
}

function stack(site, frames) {
  return element('details', null, element('summary', null, `Stack, ${site.length} frames, innermost first`),
    element('ol', { class: 'stack' }, ...site.map((place) => element('li', null, frameText(frames[place])))));
}

function frameText([name, file, line, source]) { return (file ? `${name} ${file}:${line}` : name) + (source ? `: ${source}` : ''); }

/** The line of the program; where it called a library for it, the library's function after it. */
function placeOf(site) {
  if (!site.length) return UNKNOWN;
  const own = site.find(([, file]) => file && !/\/(site|dist)-packages\/|\/lib(64)?\/python3(\.\d+)?\/|\/python3\d+\.zip\/|^</.test(file)) || site[0];
  return frameText(own) + (own === site[0] ? '' : `, by ${site[0][0]}`);
}

function list(sentences) { return element('ul', null, ...sentences.map((one) => element('li', null, one))); }
