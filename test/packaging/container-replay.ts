import { cp, mkdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { projectRoot } from '../support/project.js';
import { parseCopy, type Copy, type Stage } from './containerfile.js';
import { shell } from './npm.js';

/**
 * Does what a container engine would do with COPY, WORKDIR and the RUN lines that call npm, in one folder
 * for each stage below `folder` in the place of its root. The base image's part is played by this machine.
 */
export class ContainerReplay {
  constructor(private readonly folder: string) {}

  /** Where a stage has a file. */
  path(stage: string, path: string): string {
    return join(this.folder, stage, path);
  }

  async run(stages: readonly Stage[]): Promise<void> {
    for (const stage of stages) await this.#runStage(stage);
  }

  async #runStage({ name: stage, instructions }: Stage): Promise<void> {
    let workdir = '/';
    await mkdir(this.path(stage, workdir), { recursive: true });
    for (const { name, text } of instructions) {
      if (name === 'WORKDIR') {
        workdir = text;
        await mkdir(this.path(stage, workdir), { recursive: true });
      } else if (name === 'COPY') await this.#copy(stage, workdir, parseCopy(text));
      else if (name === 'RUN' && text.startsWith('npm ')) shell(text, this.path(stage, workdir));
    }
  }

  async #copy(stage: string, workdir: string, { from, sources, destination }: Copy): Promise<void> {
    const inImage = destination.startsWith('/') ? destination : join(workdir, destination);
    for (const source of sources) {
      const original = from === undefined ? join(projectRoot, source) : this.path(from, source);
      // A folder's content is copied, not the folder; a file goes into a destination that ends with a slash.
      const isFile = (await stat(original)).isFile();
      const target = isFile && destination.endsWith('/') ? join(inImage, basename(source)) : inImage;
      await cp(original, this.path(stage, target), { recursive: true, verbatimSymlinks: true });
    }
  }
}
