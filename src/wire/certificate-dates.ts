import type { X509Certificate } from 'node:crypto';

const dayMilliseconds = 86_400_000;

/**
 * When a renewal is overdue: a week before the end, or a tenth of its life for a certificate that lives
 * shorter than ten weeks.
 */
const noticeMillisecondsMax = 7 * dayMilliseconds;
const noticePart = 0.1;

/**
 * What is wrong with the dates of a certificate that the service shows to its clients, in words that follow
 * its name; undefined when nothing is. The service starts in spite of it, because clients decide which
 * certificates they accept.
 */
export function certificateDateProblem(certificate: X509Certificate, now: Date): string | undefined {
  const { validFromDate, validToDate } = certificate;
  if (now < validFromDate) return `is not valid before ${validFromDate.toISOString()}: clients refuse it`;
  if (now > validToDate) return `has expired at ${validToDate.toISOString()}: clients refuse it`;
  const lifeMilliseconds = validToDate.getTime() - validFromDate.getTime();
  const noticeMilliseconds = Math.min(noticeMillisecondsMax, lifeMilliseconds * noticePart);
  return validToDate.getTime() - now.getTime() < noticeMilliseconds
    ? `expires at ${validToDate.toISOString()}: renew it`
    : undefined;
}
