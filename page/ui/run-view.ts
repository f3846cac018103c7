import type { TransferProgress } from '#sdk/transfer';
import type { Problem } from '../problem.js';
import { staticTexts, texts } from '../texts.js';
import { bytesText, durationText, percentOf } from './amounts.js';
import { element, setWords, show } from './elements.js';
import { RatePlot } from './rate-plot.js';

/** A screen reader is told at each tenth, and not more often than that. */
const announcedEveryMilliseconds = 10_000;

/** How far a transfer is, while it runs. */
export class RunView {
  readonly #bar = element('bar', HTMLProgressElement);
  readonly #plot = new RatePlot(element('plot-line', SVGPathElement), element('plot-area', SVGPathElement));
  readonly #waiting = element('waiting');
  readonly #warnings = element('warnings');
  readonly #live = element('live');
  #announcedTenth = 0;
  #announcedAt = 0;
  #phase = '';
  /** Moved by when something failed: what has moved since shows that it passed. */
  #waitingSince: number | undefined;
  #retryAt = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** For a new transfer. */
  begin(title: string): void {
    element('run-title').textContent = title;
    this.#plot.clear();
    this.#announcedTenth = 0;
    this.#phase = '';
    show(false, this.#warnings);
    this.#warnings.replaceChildren();
    this.#endWaiting();
    this.#bar.value = 0;
    for (const id of ['percent', 'moved', 'rate', 'left', 'skipped', 'phase']) element(id).textContent = '';
  }

  end(): void {
    this.#endWaiting();
  }

  progress(progress: TransferProgress): void {
    const { phase, sizeBytes, zeroBytes, bytesPerSecond, secondsLeft, verifiedBytes } = progress;
    const moved = movedBytes(progress);
    if (this.#waitingSince !== undefined && moved + verifiedBytes > this.#waitingSince) this.#endWaiting();
    const percent = percentOf(phase === 'verifying' ? verifiedBytes : moved, sizeBytes);
    const left = secondsLeft === undefined ? texts.unknown : durationText(secondsLeft);
    this.#bar.value = percent;
    element('percent').textContent = texts.percent(percent);
    element('moved').textContent = texts.movedOf(bytesText(moved), bytesText(sizeBytes));
    element('rate').textContent = texts.perSecond(bytesText(bytesPerSecond));
    element('left').textContent = left;
    element('skipped').textContent = bytesText(zeroBytes);
    this.#plot.add(bytesPerSecond);
    if (phase !== this.#phase) {
      this.#phase = phase;
      element('phase').textContent = texts.phases[phase];
      this.#announce(texts.phases[phase]);
    } else if (phase === 'transferring') {
      const tenth = Math.floor(percent / 10);
      const isTime = performance.now() - this.#announcedAt > announcedEveryMilliseconds;
      if (tenth > this.#announcedTenth && isTime) {
        this.#announcedTenth = tenth;
        this.#announce(texts.announced(percent, left));
      }
    }
    this.#moved = moved + verifiedBytes;
  }

  /** Something fails and is tried again. */
  waiting(problem: Problem, delaySeconds: number): void {
    this.#waitingSince ??= this.#moved;
    this.#retryAt = performance.now() + delaySeconds * 1000;
    const words = element('waiting-words');
    const advice = waitingAdvice(problem);
    // What is said again is not to be read again.
    if (words.textContent !== problem.words.join(' ')) words.textContent = problem.words.join(' ');
    if (element('waiting-advice').textContent !== advice) element('waiting-advice').textContent = advice;
    this.#timer ??= setInterval(() => {
      this.#countDown();
    }, 1000);
    this.#countDown();
    show(true, this.#waiting, element('try-now'));
  }

  warning(words: string): void {
    const all = [...this.#warnings.children].map(({ textContent }) => textContent);
    setWords(this.#warnings, [...all, words]);
    show(true, this.#warnings);
  }

  #moved = 0;

  #countDown(): void {
    const seconds = Math.round((this.#retryAt - performance.now()) / 1000);
    element('waiting-time').textContent = seconds > 0 ? texts.waiting(seconds) : texts.waitingNow;
  }

  #endWaiting(): void {
    this.#waitingSince = undefined;
    clearInterval(this.#timer);
    this.#timer = undefined;
    show(false, this.#waiting, element('try-now'));
  }

  #announce(text: string): void {
    this.#announcedAt = performance.now();
    this.#live.textContent = text;
  }
}

/** Of the disk, in whatever way. */
export function movedBytes({ dataBytes, zeroBytes, resumedBytes }: TransferProgress): number {
  return dataBytes + zeroBytes + resumedBytes;
}

/** The title of the window, for whoever looks at its tab only. */
export function windowTitle(progress: TransferProgress | undefined): string {
  if (progress === undefined) return staticTexts.title;
  const percent = percentOf(movedBytes(progress), progress.sizeBytes);
  return `${texts.percent(percent)} – ${staticTexts.title}`;
}

function waitingAdvice({ code }: Problem): string {
  return code in texts.waitingAdvice
    ? texts.waitingAdvice[code as keyof typeof texts.waitingAdvice]
    : texts.advice[code];
}
