let second = -1;
/** The second in ISO 8601, up to its fraction. */
let secondText = '';

/** The member of a record that says when. Its second is made once: it was a sixth of the time of a record. */
export function timestamp(): string {
  const now = Date.now();
  const milliseconds = now % 1000;
  if (now - milliseconds !== second) {
    second = now - milliseconds;
    secondText = new Date(second).toISOString().slice(0, -'000Z'.length);
  }
  return `,"time":"${secondText}${String(milliseconds).padStart(3, '0')}Z"`;
}
