import { Page } from './page.js';

/** Put in when the page is built: the name of the worker's file has the hash of its content. */
declare const WORKER_PATH: string;

void new Page(WORKER_PATH).open();
