// The page: every part a section, drawn from the data that stands in it.
const data = JSON.parse(document.getElementById('data').textContent);
const report = data.report;
const site = (row) => row.site.map((place) => data.frames[place]);

function summary() {
  const { target, memory, process, overhead, findings, window: span } = report;
  const sure = findings.filter((one) => one.confidence >= 0.5);
  const kinds = sure.map((one) => `${one.kind} (${percentOf(one.confidence)})`).join(', ');
  const verdict = sure.length ? `${sure.length} ${sure.length === 1 ? 'leak' : 'leaks'}: ${kinds}` : 'no leak found';
  const number = (name, value) => element('div', null, element('span', { class: 'dim' }, name), element('b', null, value));
  return [
    ...(report.keys ? [element('p', { role: 'note' }, element('b', null, 'CONFIDENTIAL: has keys of the program\'s dictionaries in it (--with-keys)'))] : []),
    element('h1', null, `pid ${target.pid}: ${verdict}`),
    element('p', { class: 'dim' }, `watched for ${timeOf(span.duration_s)} from ${span.start}${target.ended ? `; ${target.ended}` : ''}`),
    element('div', { class: 'numbers' },
      number('resident', megabytesOf(memory.rss_mb)), number('trend', memory.rss_growth_mb_per_h === null ? UNKNOWN : `${megabytesOf(memory.rss_growth_mb_per_h)}/h`),
      number('Python objects', megabytesOf(memory.python_mb)), number('C heaps', megabytesOf(memory.native_mb)),
      number('open handles', numberOf(process.fds)), number('threads', numberOf(process.threads)),
      number('cost of the leaks', report.cost_usd_per_month === null ? UNKNOWN : `${report.cost_usd_per_month.toFixed(2)} USD/month`),
      number('slow-down', overhead.target_slowdown_pct === null ? UNKNOWN : `${overhead.target_slowdown_pct.toFixed(2)} %`)),
    facts([
      ['command', element('code', null, (target.cmdline || []).join(' ') || UNKNOWN)], ['python', target.python && `${target.python}, ${target.build}`],
      ['container', target.container], ['memory', memory.verdict && `${memory.verdict}: ${memory.why}`],
      ['limit', memory.limit_mb === null ? null : megabytesOf(memory.limit_mb)],
      ['memprobe', `${overhead.profiler_cpu_pct === null ? UNKNOWN : `${overhead.profiler_cpu_pct.toFixed(1)} %`} of a core, ${megabytesOf(overhead.profiler_rss_mb)}`],
    ]),
  ];
}

function findings() {
  return report.findings.length ? report.findings.map((one, place) => finding(one, place + 1, data.frames)) : [element('p', null, 'Nothing leaks, as far as was seen.')];
}

function timeLines() {
  const charts = [
    lines('Memory', data.memory, sizeOf), lines('Descriptors and threads', data.process, numberOf),
    lines('Open handles and objects by kind', scaled(data.kinds), numberOf), lines('What has grown most', data.populations, numberOf),
  ].filter(Boolean);
  return charts.length ? [element('div', { class: 'charts' }, ...charts)] : [];
}

/** Objects are thousands of times as many as handles: they have no place in the same picture. */
function scaled(kinds) { return kinds.filter((one) => one.name !== 'objects').sort((a, b) => b.points[b.points.length - 1][1] - a.points[a.points.length - 1][1]); }

function growth() {
  if (!report.growth.length) return [];
  const hows = [...new Set(report.growth.map((row) => row.how))];
  const graphs = hows.map((how) => flame(`Growth by stack: ${how}`, sums(`${how}: all`, report.growth.filter((row) => row.how === how)
    .map((row) => ({ path: row.site.length ? site(row).map(frameText).reverse() : ['(no stack)'], value: Math.max(0, row.bytes) }))), sizeOf));
  const grown = table('growth', [
    { name: 'grown', value: (row) => row.bytes, show: (row) => sizeOf(row.bytes), number: true },
    { name: 'per hour', value: (row) => row.bytes_per_s, show: (row) => (row.bytes_per_s === null ? UNKNOWN : sizeOf(row.bytes_per_s * 3600)), number: true },
    { name: 'how', value: (row) => row.how }, { name: 'at', value: (row) => placeOf(site(row)), wide: true },
  ], report.growth);
  return [element('p', { class: 'dim' }, 'The same memory may stand under several hows: it is mapped, then used.'), ...graphs, grown];
}

function heap() {
  const parts = [];
  if (data.holders.length) {
    parts.push(flame('Live bytes by holder (what would be free without it)', tree('heap', data.holders.map((row) => ({
      path: [row.path[0].split('.')[0], ...row.path], value: row.bytes, told: `${numberOf(row.count)} x ${row.type || 'objects'}` }))), sizeOf));
    parts.push(table('holders', [
      { name: 'retained', value: (row) => row.bytes, show: (row) => sizeOf(row.bytes), number: true },
      { name: 'grown', value: (row) => row.grown, show: (row) => sizeOf(row.grown), number: true },
      { name: 'count', value: (row) => row.count, show: (row) => numberOf(row.count), number: true },
      { name: 'type', value: (row) => row.type }, { name: 'holder', value: (row) => row.path.join(' > '), wide: true },
    ], data.holders));
  }
  if (data.types.length) {
    parts.push(treemap('Heap by type', data.types.map((row) => ({ name: row.type, value: row.bytes, grown: row.grown, told: `${numberOf(row.count)} objects, ${signed(numberOf(row.added), row.added)} since the attach` })), sizeOf));
    parts.push(table('types', [
      { name: 'bytes', value: (row) => row.bytes, show: (row) => sizeOf(row.bytes), number: true },
      { name: 'count', value: (row) => row.count, show: (row) => numberOf(row.count), number: true },
      { name: 'added', value: (row) => row.added, show: (row) => signed(numberOf(row.added), row.added), number: true },
      { name: 'type', value: (row) => row.type, wide: true },
    ], data.types));
  }
  return parts;
}

function addressSpace() {
  if (!data.regions.length) return [];
  return [space('Address space, lowest addresses first', data.regions), table('regions', [
    { name: 'start', value: (row) => row.start }, { name: 'kind', value: (row) => row.kind },
    { name: 'size', value: (row) => row.size, show: (row) => sizeOf(row.size), number: true },
    { name: 'used', value: (row) => row.used, show: (row) => sizeOf(row.used), number: true },
    { name: 'grown', value: (row) => row.grown, show: (row) => sizeOf(row.grown), number: true },
  ], data.regions)];
}

function handles() {
  if (!report.handles.length) return [];
  const left = data.left_out.handles ? [element('p', { class: 'dim' }, `${numberOf(data.left_out.handles)} smaller rows are left out; report --json has them.`)] : [];
  return [...left, table('open handles', [
    { name: 'kind', value: (row) => row.kind }, { name: 'open', value: (row) => row.open, show: (row) => numberOf(row.open), number: true },
    { name: 'opened/s', value: (row) => row.opened_per_s, show: (row) => numberOf(row.opened_per_s), number: true },
    { name: 'closed/s', value: (row) => row.closed_per_s, show: (row) => numberOf(row.closed_per_s), number: true },
    { name: 'oldest', value: (row) => row.oldest_s, show: (row) => timeOf(row.oldest_s), number: true },
    { name: 'born at', value: (row) => (row.site.length ? placeOf(site(row)) : row.born), wide: true },
    { name: 'for example', value: (row) => row.examples.join(', '), wide: true },
  ], report.handles)];
}

function keys() {
  if (!report.keys || !report.keys.length) return [];
  return [table('newest keys', [
    { name: 'holder', value: (row) => row.holder }, { name: 'its newest keys', value: (row) => row.keys.join(', '), wide: true },
  ], report.keys)];
}

function evidence() {
  const { engine, engine_why: why, events, lost, repaired, snapshots, torn_objects: torn, invisible } = report.evidence;
  const losses = Object.entries(lost).filter(([, count]) => count).map(([name, count]) => `${name}: ${numberOf(count)}`);
  return [
    facts([['tier', `${report.target.tier} of 2`], ['engine', engine ? `${engine}: ${why}` : null], ['events', numberOf(events)], ['snapshots', numberOf(snapshots)], ['put right', numberOf(repaired)],
      ['torn objects', numberOf(torn)], ['lost', losses.length ? losses.join(', ') : 'nothing'], ['written by', `memprobe ${report.memprobe}, ${report.schema}`]]),
    ...(invisible.length ? [element('h3', null, 'Not visible'), list(invisible)] : []),
  ];
}

const PARTS = [['summary', 'Summary', summary], ['findings', 'Findings', findings], ['time', 'Over time', timeLines], ['growth', 'Growth', growth],
  ['heap', 'Heap', heap], ['space', 'Address space', addressSpace], ['handles', 'Open handles', handles], ['keys', 'Keys (--with-keys)', keys], ['evidence', 'Evidence and losses', evidence]];

function show() {
  const content = document.getElementById('content');
  content.replaceChildren();
  for (const [id, title, build] of PARTS) {
    const inside = build();
    if (!inside.length) continue;
    const heading = id === 'summary' ? [] : [element('h2', null, title)];
    content.append(element('section', { id: `part-${id}`, 'aria-label': title }, ...heading, ...inside));
    document.getElementById('parts').append(element('a', { href: `#part-${id}` }, title));
  }
}

function paint(theme) {
  document.documentElement.dataset.theme = theme;
  document.getElementById('theme').setAttribute('aria-pressed', String(theme === 'dark'));
}

show();
const wish = matchMedia('(prefers-color-scheme: dark)');
paint(wish.matches ? 'dark' : 'light');
wish.addEventListener('change', () => paint(wish.matches ? 'dark' : 'light'));
document.getElementById('theme').addEventListener('click', () => paint(document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark'));
if (location.hash.length > 1) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
document.documentElement.dataset.readyMs = Math.round(performance.now());
