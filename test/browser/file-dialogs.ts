import { open } from 'node:fs/promises';
import type { Page } from 'playwright-core';

/**
 * Answers the dialogs in which a user chooses a file, which a browser without a screen does not have: what is
 * chosen is a real file of the browser's own storage, of the suggested name, or `disk.raw` to be read.
 * @param answer `dismiss` closes the dialog without a choice; `none` is a browser without such dialogs
 */
export async function answerFileDialogs(page: Page, answer: 'choose' | 'dismiss' | 'none'): Promise<void> {
  await page.addInitScript({ content: scripts[answer] });
}

const scripts = {
  choose: `
    const ownFile = async (name, create) =>
      (await navigator.storage.getDirectory()).getFileHandle(name, { create });
    window.showSaveFilePicker = ({ suggestedName }) => ownFile(suggestedName, true);
    window.showOpenFilePicker = async () => [await ownFile('disk.raw', false)];`,
  dismiss: `
    window.showSaveFilePicker = async () => { throw new DOMException('No choice', 'AbortError'); };
    window.showOpenFilePicker = window.showSaveFilePicker;`,
  none: `
    delete window.showSaveFilePicker;
    delete window.showOpenFilePicker;`,
} as const;

const chunkBytes = 4 * 2 ** 20;

/** Copies the one file that the page has saved out of the browser. @returns its name */
export async function copySavedFile(page: Page, target: string): Promise<string> {
  const { name, size } = await page.evaluate<{ name: string; size: number }>(`(async () => {
    const folder = await navigator.storage.getDirectory();
    const [name] = await Array.fromAsync(folder.keys());
    return { name, size: (await (await folder.getFileHandle(name)).getFile()).size };
  })()`);
  await using file = await open(target, 'w');
  for (let start = 0; start < size; start += chunkBytes) {
    const base64 = await page.evaluate<string>(`(async () => {
      const folder = await navigator.storage.getDirectory();
      const file = await (await folder.getFileHandle(${JSON.stringify(name)})).getFile();
      const bytes = await file.slice(${start}, ${start + chunkBytes}).arrayBuffer();
      return new Uint8Array(bytes).toBase64();
    })()`);
    await file.writeFile(Buffer.from(base64, 'base64'));
  }
  return name;
}
