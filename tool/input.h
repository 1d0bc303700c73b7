/*
 * The input, record by record, or block by block.
 *
 * A record ends with the delimiter; the last one may lack it.  One task at a time.
 */
#ifndef TOOL_INPUT_H
#define TOOL_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "template.h"

struct input;

/*
 * path NULL: stdin, whose flags are not changed, as the shell has it, too.  record_max: more bytes
 * are not kept.  0 or an error of the kernel.
 */
int input_open(struct input **ret, const char *path, char delim, size_t record_max);
void input_close(struct input *in);

/*
 * The next record, without its delimiter, valid until the next call.  *ret_size: how many bytes it
 * has in the input; more than record_max, and *ret has only those it begins with.  0; LEAT_EEND;
 * -ECANCELED; or an error.  Blocks.
 */
int input_record(struct input *in, struct record *ret, uint64_t *ret_size);

/*
 * The next block: whole records with their delimiters, size bytes of them at most, or one record
 * if that is longer.  Else as input_record.
 */
int input_block(struct input *in, size_t size, struct record *ret, uint64_t *ret_size);

/* Bytes of the records so far, and of how many: of a file; 0: not known.  Any thread. */
void input_position(const struct input *in, uint64_t *ret_done, uint64_t *ret_all);

#endif
