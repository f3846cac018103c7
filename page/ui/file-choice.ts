/** A file that was chosen, and by what it is found again later, where the browser has such. */
export interface ChosenFile {
  readonly file: File;
  readonly handle: FileSystemFileHandle | undefined;
}

interface PickerType {
  readonly description?: string;
  readonly accept: Readonly<Record<string, readonly string[]>>;
}

// Not all browsers have these, so the types of the platform do not.
declare global {
  interface Window {
    showOpenFilePicker?: () => Promise<FileSystemFileHandle[]>;
    showSaveFilePicker?: (options: {
      readonly suggestedName?: string;
      readonly types?: readonly PickerType[];
    }) => Promise<FileSystemFileHandle>;
  }
  interface DataTransferItem {
    getAsFileSystemHandle?: () => Promise<FileSystemHandle | null>;
  }
  interface FileSystemHandle {
    requestPermission?: (options: { readonly mode: 'read' | 'readwrite' }) => Promise<PermissionState>;
  }
}

/** Asks the user, by the browser's own dialog. @returns undefined when it was closed without a choice */
export async function askForFile(input: HTMLInputElement): Promise<ChosenFile | undefined> {
  if (window.showOpenFilePicker === undefined) {
    input.click();
    return undefined;
  }
  try {
    const [handle] = await window.showOpenFilePicker();
    return handle === undefined ? undefined : { file: await handle.getFile(), handle };
  } catch (error: unknown) {
    if (isAbort(error)) return undefined;
    throw error;
  }
}

/** @returns undefined when the dialog was closed without a choice */
export async function askWhereToSave(suggestedName: string): Promise<FileSystemFileHandle | undefined> {
  try {
    return await window.showSaveFilePicker?.({ suggestedName });
  } catch (error: unknown) {
    if (isAbort(error)) return undefined;
    throw error;
  }
}

/** @returns undefined when not exactly one file was dropped */
export async function droppedFile({ dataTransfer }: DragEvent): Promise<ChosenFile | undefined> {
  const items = [...(dataTransfer?.items ?? [])].filter(({ kind }) => kind === 'file');
  const [item] = items;
  if (item === undefined || items.length > 1) return undefined;
  // Both are asked for before anything is awaited: what was dropped is gone after that.
  const file = item.getAsFile();
  const found = await item.getAsFileSystemHandle?.().catch(() => null);
  const handle = found instanceof FileSystemFileHandle ? found : undefined;
  return file === null ? undefined : { file, handle };
}

/**
 * The file of an earlier visit. To be called when the user has just clicked: the browser may ask whether it
 * is allowed.
 * @returns undefined when it is not
 */
export async function fileAgain(handle: FileSystemFileHandle): Promise<ChosenFile | undefined> {
  const permission = await handle.requestPermission?.({ mode: 'read' });
  if (permission !== undefined && permission !== 'granted') return undefined;
  return { file: await handle.getFile(), handle };
}

function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError';
}
