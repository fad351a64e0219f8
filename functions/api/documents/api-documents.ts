import { workflowJsonSchema } from '../../../shared/definition/workflow-json-schema.ts';
import type { AnyRoute } from '../http/route.ts';
import type { ApiDocuments } from '../services.ts';
import { docsPage } from './docs-page.ts';
import { openApiDocument } from './openapi-document.ts';

/** @param publicUrl where clients reach this API, without a slash at the end */
export function createApiDocuments(routes: readonly AnyRoute[], publicUrl: string): ApiDocuments {
  const document = once(() => openApiDocument(routes, publicUrl));
  return {
    openApi: once(() => JSON.stringify(document())),
    page: once(() => docsPage(document())),
    workflowSchema: once(() =>
      JSON.stringify(workflowJsonSchema(`${publicUrl}/schemas/workflow.json`), null, 2),
    ),
  };
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | null = null;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
