import { string } from '../option.js';
import { defineSection, type SectionValues } from '../section.js';

export const backendHttpSection = defineSection({
  name: 'backend_http',
  description: 'Images relayed from another daemon.',
  options: {
    caFile: string('ca_file', {
      default: '',
      reloadable: true,
      description:
        'Authorities in PEM format that verify the other daemon. Empty: the value of [tls] ca_file.',
    }),
  },
  ignored: {
    buffer_size: 'What is relayed passes through the buffers of [limits] relay_buffer_bytes.',
  },
});

export type BackendHttpConfig = SectionValues<typeof backendHttpSection>;
