/*
 * query_text.c
 *	  Normalised texts in shared memory: chains of chunks of a fixed array.
 *
 * Each partition of the query table has an array of its own, made at server
 * start from pool_perf.text_memory.  Every function but the sizes expects the
 * partition's lock to be held: exclusively to store and to free, shared to
 * copy.  Nothing here allocates, waits or raises.
 */
#include "postgres.h"

#include "storage/shmem.h"

#include "guc.h"
#include "query_stats.h"
#include "query_text.h"

#define CHUNK_BYTES		256
#define CHUNK_DATA		(CHUNK_BYTES - sizeof(int32))

/* the least that makes a partition useful: a text of 4 kB */
#define MIN_CHUNKS		17

typedef struct PpSharedChunk
{
	int32		next;			/* of the text, or of the free list */
	char		data[CHUNK_DATA];
} PpSharedChunk;

/* Followed by the chunks of the partition. */
typedef struct PpSharedTexts
{
	int32		first_free;
	int32		used;
	PpSharedChunk chunks[FLEXIBLE_ARRAY_MEMBER];
} PpSharedTexts;

static char *texts;

/* Chunks of one partition. */
int
pp_query_text_chunks(void)
{
	Size		bytes = (Size) pp_text_memory * 1024 / PP_PARTITIONS;

	return Max(bytes / CHUNK_BYTES, MIN_CHUNKS);
}

/* Memory of one partition, all of which its texts can fill. */
Size
pp_query_text_partition_bytes(void)
{
	return (Size) pp_query_text_chunks() * CHUNK_BYTES;
}

/* No text is to take more than half of what a partition has. */
int
pp_query_text_max_length(void)
{
	return Max(pp_query_text_chunks() / 2, 1) * (int) CHUNK_DATA;
}

static Size
partition_size(void)
{
	return MAXALIGN(offsetof(PpSharedTexts, chunks)) +
		pp_query_text_partition_bytes();
}

static inline PpSharedTexts *
texts_of(int partition)
{
	return (PpSharedTexts *) (texts + partition * partition_size());
}

static inline int
chunks_for(int length)
{
	return (length + CHUNK_DATA - 1) / CHUNK_DATA;
}

Size
pp_query_text_shmem_size(void)
{
	return mul_size(PP_PARTITIONS, partition_size());
}

void
pp_query_text_shmem_init(void)
{
	int			nchunks = pp_query_text_chunks();
	bool		found;

	texts = ShmemInitStruct("pool_perf texts", pp_query_text_shmem_size(),
							&found);
	if (found)
		return;

	for (int p = 0; p < PP_PARTITIONS; p++)
	{
		PpSharedTexts *t = texts_of(p);

		t->used = 0;
		t->first_free = 0;
		for (int i = 0; i < nchunks; i++)
			t->chunks[i].next = i + 1 < nchunks ? i + 1 : PP_NO_TEXT;
	}
}

bool
pp_query_text_fits(int partition, int length)
{
	return chunks_for(length) <=
		pp_query_text_chunks() - texts_of(partition)->used;
}

int
pp_query_text_chunks_used(int partition)
{
	return texts_of(partition)->used;
}

/* The first chunk of the stored text, or PP_NO_TEXT. */
int32
pp_query_text_store(int partition, const char *text, int length)
{
	PpSharedTexts *t = texts_of(partition);
	int32		first = t->first_free;
	int32		last = PP_NO_TEXT;

	if (length <= 0 || !pp_query_text_fits(partition, length))
		return PP_NO_TEXT;

	for (int done = 0; done < length; done += CHUNK_DATA)
	{
		PpSharedChunk *chunk = &t->chunks[t->first_free];

		memcpy(chunk->data, text +done, Min(length - done, (int) CHUNK_DATA));
		last = t->first_free;
		t->first_free = chunk->next;
		t->used++;
	}
	t->chunks[last].next = PP_NO_TEXT;
	return first;
}

void
pp_query_text_free(int partition, int32 chunk)
{
	PpSharedTexts *t = texts_of(partition);

	while (chunk != PP_NO_TEXT)
	{
		int32		next = t->chunks[chunk].next;

		t->chunks[chunk].next = t->first_free;
		t->first_free = chunk;
		t->used--;
		chunk = next;
	}
}

/* The copy is not terminated. */
void
pp_query_text_copy(int partition, int32 chunk, int length, char *copy)
{
	PpSharedTexts *t = texts_of(partition);

	for (int done = 0; done < length && chunk != PP_NO_TEXT;
		 done += CHUNK_DATA)
	{
		memcpy(copy + done, t->chunks[chunk].data,
			   Min(length - done, (int) CHUNK_DATA));
		chunk = t->chunks[chunk].next;
	}
}
