import * as z from 'zod';

const warning = z
  .strictObject({
    path: z
      .string()
      .describe('Dotted from the root of the definition.')
      .meta({ examples: ['steps.extract.heartbeat_seconds'] }),
    message: z
      .string()
      .meta({ examples: ['no sign of life is ever missed: the step ends after 30 seconds'] }),
    hint: z
      .string()
      .describe('What to do about it.')
      .meta({ examples: ['Make it shorter than timeout_seconds'] }),
  })
  .meta({ id: 'DefinitionWarning' });

/** Of a definition that is valid. */
export const warnings = z
  .array(warning)
  .describe(
    'What does nothing, or not what it seems to, or names what is not registered: it is probably not meant so.',
  );

/** Beside an answer about something else. */
export const warningsMeta = z.strictObject({ warnings: warnings.meta({ examples: [[]] }) });
