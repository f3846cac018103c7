import type { TransferProgress } from '#sdk/transfer';
import { AccessError, accessInFragment, accessOf, type Access } from '../access.js';
import { Memory, type Remembered } from '../memory.js';
import type { Disk, Order, Report } from '../messages.js';
import type { Problem } from '../problem.js';
import { staticTexts, texts } from '../texts.js';
import { bytesText, durationText } from './amounts.js';
import { button, element, setWords, show } from './elements.js';
import { askForFile, askWhereToSave, droppedFile, fileAgain, type ChosenFile } from './file-choice.js';
import { RunView, windowTitle } from './run-view.js';

type Step = 'ticket' | 'connecting' | 'disk' | 'run' | 'end';

const steps: readonly Step[] = ['ticket', 'connecting', 'disk', 'run', 'end'];

/** What a disk is saved as that the service has no name for. */
const unnamedFile = 'disk.img';

/** How long a worker may take to end its session. */
const closeMilliseconds = 3000;

/** What is being moved, to be started again after a failure. */
type Wish =
  | { readonly kind: 'upload'; readonly chosen: ChosenFile }
  | { readonly kind: 'download'; readonly handle: FileSystemFileHandle };

/** The page: which step is shown, and what the worker is told. */
export class Page {
  readonly #run = new RunView();
  readonly #input = element('file', HTMLInputElement);
  #memory: Memory | undefined;
  #worker: Worker | undefined;
  #access: Access | undefined;
  #disk: Disk | undefined;
  /** Of the upload to this disk that is not over. */
  #remembered: Remembered | undefined;
  #chosen: ChosenFile | undefined;
  #wish: Wish | undefined;
  /** To be carried out as soon as the service has told of the disk. */
  #afterConnecting: (() => void) | undefined;
  #isRunning = false;
  #isLinkUsed = false;
  #startedAt = 0;
  #sessionId = '';

  constructor(private readonly workerPath: string) {
    this.#listen();
  }

  /** Reads the link that the page was opened by, and what is not finished. */
  async open(): Promise<void> {
    this.#memory = await Memory.open();
    await this.#useFragment();
    if (this.#access === undefined) await this.#listUnfinished();
  }

  #listen(): void {
    button('ticket-use', () => {
      this.#useText(element('ticket', HTMLTextAreaElement).value);
    });
    const ticketFile = element('ticket-file', HTMLInputElement);
    ticketFile.addEventListener('change', () => void this.#useTicketFile(ticketFile));
    button('choose', () => this.#guarded(() => this.#choose()));
    this.#input.addEventListener('change', () => {
      const [file] = this.#input.files ?? [];
      if (file !== undefined) this.#take({ file, handle: undefined });
      this.#input.value = '';
    });
    this.#listenToDrops();
    button('start', () => this.#guarded(() => this.#startUpload(false)));
    button('anew', () => this.#guarded(() => this.#startUpload(true)));
    button('save', () => this.#guarded(() => this.#save()));
    element('link').addEventListener('click', () => {
      this.#isLinkUsed = true;
      this.#notice(texts.leavesDownload);
    });
    button('pause', () => {
      this.#order({ kind: 'pause' });
      this.#showPaused(true);
    });
    button('resume', () => {
      this.#order({ kind: 'resume' });
      this.#showPaused(false);
    });
    button('try-now', () => {
      this.#order({ kind: 'retry-now' });
    });
    const dialog = element('cancel-dialog', HTMLDialogElement);
    button('cancel', () => {
      dialog.showModal();
    });
    button('cancel-no', () => {
      dialog.close();
    });
    button('cancel-yes', () => {
      dialog.close();
      this.#order({ kind: 'cancel' });
    });
    button('again', () => this.#access && this.#again(this.#access, false));
    button('end-anew', () => this.#access && this.#again(this.#access, true));
    for (const id of ['other-disk', 'end-other']) button(id, () => this.#reset());
    this.#listenToWindow();
  }

  #listenToDrops(): void {
    const drop = element('drop');
    // What misses the place must not make the browser leave the page and show the file.
    for (const type of ['dragover', 'drop'] as const)
      document.addEventListener(type, (event) => {
        event.preventDefault();
      });
    drop.addEventListener('dragover', () => {
      drop.classList.add('over');
    });
    drop.addEventListener('dragleave', () => {
      drop.classList.remove('over');
    });
    drop.addEventListener('drop', (event) => {
      drop.classList.remove('over');
      void this.#guarded(async () => {
        const chosen = await droppedFile(event);
        if (chosen === undefined) this.#notice(texts.oneFile);
        else this.#take(chosen);
      });
    });
  }

  #listenToWindow(): void {
    window.addEventListener('beforeunload', (event) => {
      if (this.#isRunning) event.preventDefault();
    });
    window.addEventListener('pagehide', () => {
      // A download by link goes on without the page, and needs its session.
      if (this.#sessionId === '' || this.#isLinkUsed) return;
      void fetch(`/sessions/${encodeURIComponent(this.#sessionId)}`, { method: 'DELETE', keepalive: true });
    });
    window.addEventListener('hashchange', () => void this.#useFragment());
  }

  async #useFragment(): Promise<void> {
    const { hash, pathname, search, origin } = location;
    if (hash === '') return;
    // A ticket is a secret: it stays neither in the address bar nor in the history.
    history.replaceState(null, '', `${pathname}${search}`);
    try {
      const access = accessInFragment(hash, origin);
      if (access !== undefined) await this.#use(access);
    } catch (error: unknown) {
      this.#refuseAccess(error);
    }
  }

  /** A running transfer goes on with a new ticket to the same disk, and is not disturbed by any other. */
  async #use(access: Access): Promise<void> {
    if (!this.#isRunning) await this.#connect(access);
    else if (access.path === this.#access?.path) await this.#again(access, false);
    else this.#notice(texts.otherTransferRuns);
  }

  #useText(text: string): void {
    if (text.trim() === '') {
      this.#notice(texts.emptyTicket);
      return;
    }
    try {
      const access = accessOf(text, location.origin);
      element('ticket', HTMLTextAreaElement).value = '';
      void this.#connect(access);
    } catch (error: unknown) {
      this.#refuseAccess(error);
    }
  }

  async #useTicketFile(input: HTMLInputElement): Promise<void> {
    const [file] = input.files ?? [];
    if (file === undefined) return;
    const text = await file.text();
    input.value = '';
    this.#useText(text);
  }

  #refuseAccess(error: unknown): void {
    if (!(error instanceof AccessError)) throw error;
    this.#notice(texts.access[error.code](error.origin));
  }

  async #connect(access: Access, afterConnecting?: () => void): Promise<void> {
    this.#access = access;
    this.#afterConnecting = afterConnecting;
    this.#remembered = await this.#memory?.find(access.path);
    this.#notice('');
    this.#show('connecting');
    await this.#leaveWorker();
    const worker = new Worker(this.workerPath, { type: 'module' });
    worker.addEventListener('message', ({ data }: MessageEvent<Report>) => {
      if (this.#worker === worker) this.#hear(data);
    });
    worker.addEventListener('error', ({ message }) => {
      if (this.#worker === worker) this.#fail({ code: 'defect', words: [message] });
    });
    this.#worker = worker;
    this.#order({ kind: 'connect', access });
  }

  /** Ends what the last worker has. */
  async #leaveWorker(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    if (worker === undefined) return;
    const { promise, resolve } = Promise.withResolvers<undefined>();
    worker.addEventListener('message', ({ data }: MessageEvent<Report>) => {
      if (data.kind === 'closed') resolve(undefined);
    });
    const timer = setTimeout(resolve, closeMilliseconds, undefined);
    worker.postMessage({ kind: 'close' } satisfies Order);
    await promise;
    clearTimeout(timer);
    worker.terminate();
  }

  #order(order: Order): void {
    this.#worker?.postMessage(order);
  }

  #hear(report: Report): void {
    switch (report.kind) {
      case 'connected':
        this.#disk = report.disk;
        this.#sessionId = report.sessionId;
        this.#connected(report.disk);
        return;
      case 'progress':
        this.#sessionId = report.sessionId;
        this.#run.progress(report.progress);
        document.title = windowTitle(report.progress);
        return;
      case 'waiting':
        this.#run.waiting(report.problem, report.delaySeconds);
        return;
      case 'warning':
        this.#run.warning(report.words);
        return;
      case 'done':
        this.#done(report.progress);
        return;
      case 'cancelled':
        this.#end('cancelled', texts.cancelled, [texts.cancelledWords], '');
        return;
      case 'failed':
        this.#fail(report.problem);
        return;
      case 'free':
        this.#notice(texts.free);
        return;
      case 'closed':
    }
  }

  #connected(disk: Disk): void {
    const after = this.#afterConnecting;
    this.#afterConnecting = undefined;
    if (after === undefined) this.#showDisk(disk);
    else after();
  }

  #showDisk(disk: Disk): void {
    const { writable, sizeBytes } = disk;
    const size = bytesText(sizeBytes);
    element('disk-title').textContent = writable ? texts.uploadTo(size) : texts.downloadOf(size);
    const canSave = window.showSaveFilePicker !== undefined;
    show(writable, element('upload-part'), element('start'));
    show(!writable && canSave, element('save'));
    show(!writable, element('link'), element('link-hint'));
    show(writable || canSave, element('verify').parentElement ?? element('verify'));
    if (!writable) this.#showLink(disk);
    this.#chosen = undefined;
    element('chosen').textContent = '';
    const remembered = writable ? this.#remembered : undefined;
    const interrupted = element('interrupted');
    show(remembered !== undefined, interrupted, element('anew'));
    const start = element('start', HTMLButtonElement);
    start.textContent = remembered === undefined ? staticTexts.startUpload : texts.goOn;
    start.disabled = remembered?.handle === undefined;
    element('anew', HTMLButtonElement).disabled = true;
    if (remembered !== undefined) {
      const words = texts.interrupted(remembered.fileName, thereText(remembered));
      const more = remembered.handle === undefined ? ` ${texts.chooseAgain(remembered.fileName)}` : '';
      interrupted.textContent = `${words}${more}`;
    }
    this.#show('disk');
  }

  #showLink({ path, fileName }: Disk): void {
    const link = element('link', HTMLAnchorElement);
    const query = this.#sessionId === '' ? '' : `session_id=${encodeURIComponent(this.#sessionId)}&`;
    link.href = `${path}?${query}close=y`;
    link.download = fileName ?? unnamedFile;
  }

  async #choose(): Promise<void> {
    const chosen = await askForFile(this.#input);
    if (chosen !== undefined) this.#take(chosen);
  }

  #take(chosen: ChosenFile): void {
    this.#chosen = chosen;
    this.#notice('');
    const { name, size } = chosen.file;
    element('chosen').textContent = texts.chosen(name, bytesText(size));
    for (const id of ['start', 'anew']) element(id, HTMLButtonElement).disabled = false;
  }

  async #startUpload(anew: boolean): Promise<void> {
    const handle = this.#remembered?.handle;
    const chosen = this.#chosen ?? (handle === undefined ? undefined : await fileAgain(handle));
    if (chosen === undefined) this.#notice(texts.notPermitted);
    else this.#begin({ kind: 'upload', chosen }, anew);
  }

  async #save(): Promise<void> {
    const handle = await askWhereToSave(this.#disk?.fileName ?? unnamedFile);
    if (handle !== undefined) this.#begin({ kind: 'download', handle }, false);
  }

  #begin(wish: Wish, anew: boolean): void {
    const verify = element('verify', HTMLInputElement).checked;
    this.#wish = wish;
    this.#isRunning = true;
    this.#startedAt = performance.now();
    this.#notice('');
    if (wish.kind === 'upload') {
      const { file, handle } = wish.chosen;
      this.#run.begin(texts.uploading(file.name));
      this.#order({ kind: 'upload', file, handle, verify, anew });
    } else {
      const { handle } = wish;
      this.#run.begin(texts.downloading(handle.name));
      this.#order({ kind: 'download', handle, verify });
    }
    this.#showPaused(false);
    this.#show('run');
  }

  #showPaused(paused: boolean): void {
    const hadFocus = document.activeElement?.closest('#run-step') !== null;
    show(!paused, element('pause'));
    show(paused, element('resume'));
    if (hadFocus) element(paused ? 'resume' : 'pause').focus();
  }

  #done(progress: TransferProgress): void {
    const { sizeBytes, sentBytes, verifiedBytes } = progress;
    const time = durationText((performance.now() - this.#startedAt) / 1000);
    const size = bytesText(sizeBytes);
    const words =
      this.#wish?.kind === 'download'
        ? texts.doneDownload(size, time)
        : texts.doneUpload(size, bytesText(sentBytes), time);
    const isVerified = verifiedBytes === sizeBytes && sizeBytes > 0;
    this.#end('done', texts.done, [words, isVerified ? texts.verified : texts.notVerified], '');
  }

  #fail({ code, words }: Problem): void {
    const title = this.#isRunning ? texts.failed : texts.notConnected;
    this.#end('failed', title, words, texts.advice[code]);
    const again = element('again');
    // A browser does not read a file that has changed, also not from its beginning.
    if (code === 'file-changed') this.#wish = undefined;
    if (code === 'file-changed') again.textContent = texts.chooseFileAgain;
    else again.textContent = this.#wish === undefined || code === 'not-begun' ? texts.tryAgain : texts.goOn;
    show(code !== 'differs' && code !== 'signed-ticket-refused', again);
    show(code === 'differs', element('end-anew'));
  }

  #end(kind: 'done' | 'cancelled' | 'failed', title: string, words: readonly string[], advice: string): void {
    this.#isRunning = false;
    this.#sessionId = kind === 'failed' ? this.#sessionId : '';
    this.#run.end();
    const dialog = element('cancel-dialog', HTMLDialogElement);
    if (dialog.open) dialog.close();
    document.title = `${title} – ${staticTexts.title}`;
    const section = element('end-step');
    section.classList.remove('done', 'cancelled', 'failed');
    section.classList.add(kind);
    element('end-title').textContent = title;
    setWords(element('end-words'), words);
    element('end-advice').textContent = advice;
    show(false, element('again'), element('end-anew'));
    this.#show('end');
  }

  /** Connects anew, and goes on with what failed. */
  async #again(access: Access, anew: boolean): Promise<void> {
    const wish = this.#wish;
    await this.#connect(
      access,
      wish === undefined
        ? undefined
        : () => {
            this.#begin(wish, anew);
          },
    );
  }

  async #reset(): Promise<void> {
    await this.#leaveWorker();
    this.#access = undefined;
    this.#wish = undefined;
    this.#remembered = undefined;
    this.#sessionId = '';
    document.title = staticTexts.title;
    this.#notice('');
    await this.#listUnfinished();
    this.#show('ticket');
  }

  async #listUnfinished(): Promise<void> {
    const all = (await this.#memory?.list()) ?? [];
    const list = element('unfinished-list');
    list.replaceChildren(...all.map((remembered) => this.#unfinishedItem(remembered)));
    show(all.length > 0, element('unfinished'));
  }

  #unfinishedItem(remembered: Remembered): HTMLLIElement {
    const item = document.createElement('li');
    const words = document.createElement('span');
    words.textContent = texts.unfinishedUpload(remembered.fileName, thereText(remembered));
    const goOn = document.createElement('button');
    goOn.type = 'button';
    goOn.textContent = texts.goOn;
    goOn.addEventListener('click', () => void this.#connect(remembered.access));
    const forget = document.createElement('button');
    forget.type = 'button';
    forget.textContent = texts.forget;
    forget.addEventListener('click', () => {
      void this.#guarded(async () => {
        await this.#memory?.forget(remembered.path);
        await this.#listUnfinished();
      });
    });
    for (const each of [goOn, forget]) each.setAttribute('aria-description', remembered.fileName);
    item.append(words, goOn, forget);
    return item;
  }

  /** What a dialog or the database of the browser fails with is told. */
  async #guarded(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error: unknown) {
      this.#notice(error instanceof Error ? error.message : String(error));
    }
  }

  #notice(words: string): void {
    const notice = element('notice');
    notice.textContent = words;
    show(words !== '', notice);
  }

  /** Whoever reads with the keyboard or by ear is taken along. */
  #show(step: Step): void {
    for (const each of steps) show(each === step, element(`${each}-step`));
    if (step !== 'ticket') show(false, element('unfinished'));
    element(`${step}-title`).focus();
  }
}

/** What is on stable storage there, as far as the browser was told before it ended. */
function thereText({ state: { durable } }: Remembered): string {
  return bytesText(durable.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0));
}
