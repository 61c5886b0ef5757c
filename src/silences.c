/*
 * silences.c
 *	  Which alerts nobody wants to be told of.
 *
 * A table under the lock of the alerts, held for copies and comparisons.  A
 * silenced alert opens and closes as any other, without a word.
 */
#include "postgres.h"

#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"

#include "query_stats.h"
#include "silences.h"

typedef struct PpSharedSilences
{
	int64		last_id;
	uint64		changes;
	PpSilence	silences[PP_MAX_SILENCES];
} PpSharedSilences;

static PpSharedSilences *shared;
static LWLock *lock;

Size
pp_silences_shmem_size(void)
{
	return sizeof(PpSharedSilences);
}

void
pp_silences_shmem_init(void)
{
	bool		found;

	lock = &GetNamedLWLockTranche("pool_perf")[PP_PARTITIONS + 3].lock;
	shared = ShmemInitStruct("pool_perf silences", pp_silences_shmem_size(),
							 &found);
	if (!found)
		memset(shared, 0, pp_silences_shmem_size());
}

/*
 * A place that is free, or that of the silence that has been over longest; NULL
 * if all of them hold.  The lock is held.
 */
static PpSilence *
free_place(TimestampTz now)
{
	PpSilence  *found = NULL;

	for (int i = 0; i < PP_MAX_SILENCES; i++)
	{
		PpSilence  *place = &shared->silences[i];

		if (place->silence_id == 0)
			return place;
		if (place->expires_at <= now &&
			(found == NULL || place->expires_at < found->expires_at))
			found = place;
	}
	return found;
}

/* Adds a silence, with an id of its own: returned, 0 if there is no room. */
int64
pp_silences_add(const PpSilence *silence)
{
	PpSilence  *place;
	int64		id = 0;

	LWLockAcquire(lock, LW_EXCLUSIVE);
	place = free_place(silence->created_at);
	if (place != NULL)
	{
		id = ++shared->last_id;
		*place = *silence;
		place->silence_id = id;
		shared->changes++;
	}
	LWLockRelease(lock);
	return id;
}

/* False if there is no such silence. */
bool
pp_silences_drop(int64 silence_id)
{
	bool		found = false;

	LWLockAcquire(lock, LW_EXCLUSIVE);
	for (int i = 0; i < PP_MAX_SILENCES; i++)
		if (silence_id != 0 && shared->silences[i].silence_id == silence_id)
		{
			memset(&shared->silences[i], 0, sizeof(PpSilence));
			shared->changes++;
			found = true;
		}
	LWLockRelease(lock);
	return found;
}

/* The silence of that place; false if there is none. */
bool
pp_silences_get(int place, PpSilence *silence)
{
	LWLockAcquire(lock, LW_SHARED);
	*silence = shared->silences[place];
	LWLockRelease(lock);
	return silence->silence_id != 0;
}

/*
 * LIKE over bytes: % stands for anything, _ for any one character, and a
 * backslash takes the next one as it is.
 */
static bool
matches(const char *pattern, const char *s)
{
	const char *retry_pattern = NULL;
	const char *retry = NULL;

	while (*s != '\0')
	{
		const char *literal = pattern;

		if (*pattern == '%')
		{
			retry_pattern = ++pattern;
			retry = s;
			continue;
		}
		if (*literal == '\\' && literal[1] != '\0')
			literal++;
		if (*pattern == '_' || (*pattern != '\0' && *literal == *s))
		{
			pattern = *pattern == '_' ? pattern + 1 : literal + 1;
			s++;
			continue;
		}
		if (retry == NULL)
			return false;
		pattern = retry_pattern;
		s = ++retry;
	}
	while (*pattern == '%')
		pattern++;
	return *pattern == '\0';
}

/*
 * The silence that holds for such an alert, or 0.  It counts the alert, unless
 * that is the one that held before.
 */
int64
pp_silences_match(const char *kind, const char *subject, int64 before)
{
	TimestampTz now = GetCurrentTimestamp();
	PpSilence  *found = NULL;
	int64		id = 0;

	LWLockAcquire(lock, LW_EXCLUSIVE);
	for (int i = 0; i < PP_MAX_SILENCES; i++)
	{
		PpSilence  *silence = &shared->silences[i];

		if (silence->silence_id == 0 || silence->expires_at <= now ||
			(silence->kind[0] != '\0' && strcmp(silence->kind, kind) != 0) ||
			!matches(silence->subject_pattern, subject))
			continue;
		if (found == NULL || silence->silence_id == before)
			found = silence;
	}
	if (found != NULL)
	{
		id = found->silence_id;
		if (id != before)
		{
			found->silenced_alerts++;
			shared->changes++;
		}
	}
	LWLockRelease(lock);
	return id;
}

/*
 * Forgets silences that are over for a day: who made them can be seen so long,
 * unless their place is needed.
 */
void
pp_silences_expire(TimestampTz now)
{
	LWLockAcquire(lock, LW_EXCLUSIVE);
	for (int i = 0; i < PP_MAX_SILENCES; i++)
		if (shared->silences[i].silence_id != 0 &&
			now - shared->silences[i].expires_at > USECS_PER_DAY)
		{
			memset(&shared->silences[i], 0, sizeof(PpSilence));
			shared->changes++;
		}
	LWLockRelease(lock);
}

uint64
pp_silences_changes(void)
{
	uint64		changes;

	LWLockAcquire(lock, LW_SHARED);
	changes = shared->changes;
	LWLockRelease(lock);
	return changes;
}

/* At server start, before anybody else is there. */
void
pp_silences_load(const PpSilence *silence)
{
	for (int i = 0; i < PP_MAX_SILENCES; i++)
		if (shared->silences[i].silence_id == 0)
		{
			shared->silences[i] = *silence;
			break;
		}
	shared->last_id = Max(shared->last_id, silence->silence_id);
}
