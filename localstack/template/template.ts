import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A stack as `cdk synth` writes it, as far as it is read here. */
export interface Template {
  readonly resources: Readonly<Record<string, Resource>>;
  /** Folders of the code, by the hash that their S3 keys begin with. */
  readonly assets: Readonly<Record<string, string>>;
}

export interface Resource {
  readonly Type: string;
  readonly Properties: Readonly<Record<string, unknown>>;
}

/** @param folder the cloud assembly, `cdk.out` */
export function readTemplate(folder: string, stack: string): Template {
  const json = (name: string): unknown => JSON.parse(readFileSync(join(folder, name), 'utf8'));
  const { Resources } = json(`${stack}.template.json`) as { Resources: Template['resources'] };
  const { files } = json(`${stack}.assets.json`) as { files: Record<string, { source: { path: string } }> };
  const assets = Object.entries(files).map(([hash, { source }]) => [hash, join(folder, source.path)]);
  return { resources: Resources, assets: Object.fromEntries(assets) };
}

export function resourcesOf(template: Template, type: string): [id: string, Resource['Properties']][] {
  return Object.entries(template.resources).flatMap(([id, resource]) =>
    resource.Type === type ? [[id, resource.Properties]] : [],
  );
}

/** A value with its references replaced by what stands for them: the logical id, or the export's name. */
export function textOfValue(value: unknown): string {
  if (typeof value === 'string' || typeof value === 'number') return String(value);
  const {
    Ref,
    'Fn::ImportValue': imported,
    'Fn::GetAtt': attribute,
    'Fn::Join': join,
  } = value as {
    Ref?: string;
    'Fn::ImportValue'?: unknown;
    'Fn::GetAtt'?: [string, string];
    'Fn::Join'?: [string, unknown[]];
  };
  if (Ref !== undefined) return Ref;
  if (imported !== undefined) return textOfValue(imported);
  if (attribute !== undefined) return attribute.join('.');
  if (join !== undefined) return join[1].map(textOfValue).join(join[0]);
  throw new TypeError(`Expected text or a reference in the template, got ${JSON.stringify(value)}`);
}
