/*
 * silences.h
 *	  Which alerts nobody wants to be told of; see silences.c.
 */
#ifndef PP_SILENCES_H
#define PP_SILENCES_H

#include "datatype/timestamp.h"

#include "alerts.h"

#define PP_MAX_SILENCES 100

typedef struct PpSilence
{
	int64		silence_id;		/* 0: a free place */
	char		kind[PP_ALERT_WORD];	/* empty: every kind */
	char		subject_pattern[PP_ALERT_SUBJECT];	/* of LIKE */
	char		created_by[PP_ALERT_NAME];
	TimestampTz created_at;
	TimestampTz expires_at;
	int64		silenced_alerts;
} PpSilence;

extern Size pp_silences_shmem_size(void);
extern void pp_silences_shmem_init(void);

extern int64 pp_silences_add(const PpSilence *silence);
extern bool pp_silences_drop(int64 silence_id);
extern bool pp_silences_get(int place, PpSilence *silence);
extern int64 pp_silences_match(const char *kind, const char *subject,
							   int64 before);
extern void pp_silences_expire(TimestampTz now);
extern uint64 pp_silences_changes(void);
extern void pp_silences_load(const PpSilence *silence);

#endif							/* PP_SILENCES_H */
