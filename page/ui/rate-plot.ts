const width = 300;
const height = 60;
const samplesMax = 240;
const intervalMilliseconds = 1000;

/** The rate over the last minutes, as the paths of a small drawing. */
export class RatePlot {
  #samples: number[] = [];
  #nextAt = 0;

  constructor(
    private readonly line: SVGPathElement,
    private readonly area: SVGPathElement,
  ) {}

  clear(): void {
    this.#samples = [];
    this.#nextAt = 0;
    this.#draw();
  }

  /** Takes one sample a second; what comes between is passed over. */
  add(bytesPerSecond: number): void {
    const now = performance.now();
    if (now < this.#nextAt) return;
    this.#nextAt = now + intervalMilliseconds;
    this.#samples.push(bytesPerSecond);
    if (this.#samples.length > samplesMax) this.#samples.shift();
    this.#draw();
  }

  #draw(): void {
    const highest = Math.max(1, ...this.#samples);
    const step = width / Math.max(1, this.#samples.length - 1);
    const points = this.#samples.map((rate, index) => {
      const x = (index * step).toFixed(1);
      return `${x} ${(height - 2 - (rate / highest) * (height - 6)).toFixed(1)}`;
    });
    this.line.setAttribute('d', points.length < 2 ? '' : `M${points.join('L')}`);
    this.area.setAttribute(
      'd',
      points.length < 2 ? '' : `M0 ${height}L${points.join('L')}L${width} ${height}Z`,
    );
  }
}
