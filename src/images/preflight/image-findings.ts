import type { Finding } from './finding.js';
import type { ImageFacts, TicketFacts, TransferPlan } from './preflight-facts.js';

/** What is to be said of an image that could be opened. */
export function* wholeImageFindings(
  plan: TransferPlan,
  ticket: TicketFacts,
  image: ImageFacts,
): Generator<Finding> {
  yield* sizeFindings(plan, ticket, image);
  if (plan.op === 'write') {
    yield* roomFindings(plan, ticket, image);
    yield zeroFinding(image);
  }
  yield* blockFindings(image);
  yield* dirtyFindings(plan, ticket, image);
  yield* formatFindings(plan, image);
}

/** The bytes that the transfer is about, as far as the ticket lets it. */
function wantedBytes({ sizeBytes = Infinity }: TransferPlan, ticket: TicketFacts): number {
  return Math.min(sizeBytes, ticket.sizeBytes);
}

function* sizeFindings(plan: TransferPlan, ticket: TicketFacts, image: ImageFacts): Generator<Finding> {
  const bytes = wantedBytes(plan, ticket);
  const grows = plan.op === 'write' && image.growable;
  if (bytes > image.sizeBytes && grows) {
    yield {
      code: 'image_grows',
      severity: 'info',
      message: `The image has ${image.sizeBytes} bytes and grows to ${bytes}`,
      advice: 'Write or zero its last byte too, or the image stays as short as what was written.',
    };
  } else if (bytes > image.sizeBytes && (plan.op === 'write' || plan.sizeBytes !== undefined)) {
    yield {
      code: 'size_exceeds_image',
      severity: 'error',
      message: `The transfer has ${bytes} bytes, the image ${image.sizeBytes}, and it does not grow`,
      advice: 'Have the disk extended, or transfer no more than the image has.',
    };
  } else if (ticket.sizeBytes > image.sizeBytes && !grows) {
    yield {
      code: 'ticket_exceeds_image',
      severity: 'warning',
      message: `The ticket allows ${ticket.sizeBytes} bytes, the image has ${image.sizeBytes}`,
      advice: 'Ask for no byte past the image: a download of the whole image ends where the image does.',
    };
  } else if (bytes < image.sizeBytes) {
    yield {
      code: 'image_exceeds_size',
      severity: 'warning',
      message: `The transfer has ${bytes} bytes of an image of ${image.sizeBytes}`,
      advice:
        plan.op === 'write'
          ? 'What lies past the transfer stays as it is: have it zeroed, or check the size of the source.'
          : 'What lies past the transfer is not read: check that the size is the one of the disk.',
    };
  }
}

function* roomFindings(plan: TransferPlan, ticket: TicketFacts, image: ImageFacts): Generator<Finding> {
  const { allocatedBytes, freeBytes } = image;
  const missingBytes = wantedBytes(plan, ticket) - (allocatedBytes ?? 0);
  if (freeBytes === undefined) {
    // What is allocated already needs no room.
    if (allocatedBytes !== undefined && missingBytes <= 0) return;
    yield {
      code: 'free_space_unknown',
      severity: 'info',
      message: 'The storage does not tell how much room it has',
      advice: 'Look at the storage itself; a full one answers an upload with 507.',
    };
  } else if (missingBytes > freeBytes) {
    // Of a sparse image only what is not zero needs room, and how much that is the client alone knows.
    const isCertain = !ticket.sparse || freeBytes < image.blockSizeBytes;
    yield {
      code: 'no_space',
      severity: isCertain ? 'error' : 'warning',
      message: `The transfer may need ${missingBytes} more bytes, the storage has ${freeBytes} free`,
      advice: ticket.sparse
        ? 'Check that what is not zero fits, or make room on the storage.'
        : 'Make room on the storage, or have the ticket made sparse.',
    };
  }
}

function zeroFinding({ readsAsZero }: ImageFacts): Finding {
  if (readsAsZero === true) {
    return {
      code: 'reads_as_zero',
      severity: 'info',
      message: 'All of the target reads as zeroes',
      advice: 'Ranges of zeroes can be left out: they need no requests.',
    };
  }
  return {
    code: readsAsZero === false ? 'holds_data' : 'content_unknown',
    severity: 'info',
    message:
      readsAsZero === false
        ? 'The target may hold data'
        : 'Whether the target reads as zeroes could not be told in time',
    advice: 'Write or zero every range of it: what is left out keeps what it has.',
  };
}

function* blockFindings({ sizeBytes, growable, blockSizeBytes }: ImageFacts): Generator<Finding> {
  if (blockSizeBytes === 1) return;
  if (!growable && sizeBytes % blockSizeBytes !== 0) {
    yield {
      code: 'last_block_short',
      severity: 'warning',
      message: `The image has ${sizeBytes} bytes, which are no whole blocks of ${blockSizeBytes}`,
      advice: 'The storage may refuse its last bytes: have the size rounded up to whole blocks.',
    };
  }
  yield {
    code: 'block_size',
    severity: 'info',
    message: `The storage has blocks of ${blockSizeBytes} bytes`,
    advice: 'Begin and end ranges at multiples of that: parts of blocks take a read and a write more.',
  };
}

function* dirtyFindings({ op }: TransferPlan, { dirty }: TicketFacts, image: ImageFacts): Generator<Finding> {
  if (op === 'read' && dirty && !image.canDirtyExtents) {
    yield {
      code: 'dirty_extents_missing',
      severity: 'warning',
      message: 'The ticket is for an incremental backup, and the storage has no dirty extents',
      advice: 'Make a full backup, or have the export made with its bitmap.',
    };
  }
}

function* formatFindings({ op, format = 'raw' }: TransferPlan, { kind }: ImageFacts): Generator<Finding> {
  if (format === 'raw') return;
  const advice =
    kind === 'nbd'
      ? 'Transfer raw data: an NBD export is the content of the disk, and its server keeps the format.'
      : `The disk must be defined as ${format}; else convert with qemu-img on your side, or use NBD.`;
  yield {
    code: 'format_not_converted',
    severity: 'warning',
    message:
      op === 'write'
        ? 'The service does not convert: bytes are stored as they are sent'
        : 'The service does not convert: bytes are sent as they are stored',
    advice,
  };
}
