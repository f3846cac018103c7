/** An element of the page, which has it from the beginning. */
export function element(id: string): HTMLElement;
export function element<T extends Element>(id: string, type: new () => T): T;
export function element(id: string, type: new () => Element = HTMLElement): Element {
  const found: Element | null = document.getElementById(id);
  if (found instanceof type) return found;
  throw new Error(`The page has no ${type.name} #${id}`);
}

export function button(id: string, action: () => unknown): HTMLButtonElement {
  const found = element(id, HTMLButtonElement);
  found.addEventListener('click', () => void action());
  return found;
}

export function show(shown: boolean, ...elements: readonly HTMLElement[]): void {
  for (const each of elements) each.hidden = !shown;
}

/** One paragraph for each. */
export function setWords(target: HTMLElement, words: readonly string[]): void {
  target.replaceChildren(
    ...words.map((text) => {
      const paragraph = document.createElement('p');
      paragraph.textContent = text;
      return paragraph;
    }),
  );
}
