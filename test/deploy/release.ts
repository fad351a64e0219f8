import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectFolder } from '../../localstack/project-folder.ts';

/** The sources of a release that is not this one. */
export interface Release {
  /** Its checkout. */
  readonly folder: string;
  /** @throws when `from` is not there */
  edit(path: string, from: string, to: string): void;
  addMigration(name: string, sql: string): void;
}

const deployedSources = ['cdk.json', 'package.json', 'tsconfig.json', 'functions', 'infra', 'shared'];

/** A release that begins as `from` is; its folder is made. */
export function makeRelease(folder: string, from = projectFolder): Release {
  for (const path of deployedSources) cpSync(join(from, path), join(folder, path), { recursive: true });
  symlinkSync(join(projectFolder, 'node_modules'), join(folder, 'node_modules'));
  return {
    folder,
    edit(path, from, to) {
      const file = join(folder, path);
      const text = readFileSync(file, 'utf8');
      if (!text.includes(from)) throw new Error(`${path} has no ${from}`);
      writeFileSync(file, text.replace(from, to));
    },
    addMigration(name, sql) {
      writeFileSync(join(folder, 'shared/persistence/migrations', name), sql);
    },
  };
}
