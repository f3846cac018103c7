/** Says what is wrong with a `session_store`, without quoting it: the URL of a store may hold a password. */
export function checkSessionStore(value: string): string | undefined {
  if (value === 'memory') return undefined;
  const url = URL.parse(value);
  if (url === null || !['redis:', 'rediss:'].includes(url.protocol) || url.hostname === '') {
    return 'expected memory, redis://host or rediss://host';
  }
  if (!/^\/?\d*$/.test(url.pathname)) return 'expected the number of a database after the host, or nothing';
  if (![url.username, url.password].every(isPercentEncoded)) {
    return 'expected user and password in percent-encoded UTF-8';
  }
  return undefined;
}

function isPercentEncoded(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

/** The URL without user, password and query, each of which can carry a secret. */
export function maskSessionStore(value: string): string {
  const url = URL.parse(value);
  if (url === null) return value;
  const user = url.username !== '' || url.password !== '' ? '***@' : '';
  const query = url.search !== '' ? '?***' : '';
  return `${url.protocol}//${user}${url.host}${url.pathname}${query}`;
}
