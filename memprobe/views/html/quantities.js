// Numbers with their units. What was not measured is "unknown", never 0.
const UNKNOWN = 'unknown';

function sizeOf(bytes) {
  if (bytes === null || bytes === undefined) return UNKNOWN;
  const amount = Math.abs(bytes);
  if (amount < 1024) return `${Math.round(bytes)} B`;
  if (amount < 1024 ** 2) return `${(bytes / 1024).toFixed(1)} kB`;
  return amount < 10 * 1024 ** 3 ? `${(bytes / 1024 ** 2).toFixed(1)} MB` : `${(bytes / 1024 ** 3).toFixed(2)} GB`;
}

function megabytesOf(value) { return value === null || value === undefined ? UNKNOWN : sizeOf(value * 1024 ** 2); }

function numberOf(value) {
  return value === null || value === undefined ? UNKNOWN : value.toLocaleString('en', { maximumFractionDigits: 2 });
}

function signed(text, value) { return value > 0 ? `+${text}` : text; }

function timeOf(seconds) {
  if (seconds === null || seconds === undefined) return UNKNOWN;
  const whole = Math.floor(seconds);
  const [days, hours, minutes] = [Math.floor(whole / 86400), Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60];
  if (days) return `${days} d ${hours} h`;
  if (hours) return `${hours} h ${minutes} min`;
  return minutes ? `${minutes} min ${whole % 60} s` : `${whole} s`;
}

function percentOf(share) { return share === null ? UNKNOWN : `${Math.min(99, Math.floor(100 * share))} %`; }
