// The health check of the container: exits with 0 when the service answers that it lives. A container runs
// one of the two roles, whose metrics ports differ, so it asks at both unless IMAGEIO_METRICS__PORT says
// where.
const ports = process.env.IMAGEIO_METRICS__PORT ? [process.env.IMAGEIO_METRICS__PORT] : [54325, 54326];
const answers = await Promise.allSettled(
  ports.map((port) => fetch(`http://127.0.0.1:${port}/health/live`, { signal: AbortSignal.timeout(4000) })),
);
process.exit(answers.some(({ value }) => value?.ok === true) ? 0 : 1);
