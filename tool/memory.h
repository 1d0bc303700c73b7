/* Memory without which the program cannot go on; what is done is done, a resume does the rest. */
#ifndef TOOL_MEMORY_H
#define TOOL_MEMORY_H

#include <stdlib.h>
#include <string.h>

#include "message.h"

/* size bytes, zeroed; to be given to free(3). */
static inline void *need(size_t size)
{
	void *p = calloc(1, size);

	if (!p)
		die("out of memory");
	return p;
}

static inline void *need_more(void *p, size_t size)
{
	p = realloc(p, size);
	if (!p)
		die("out of memory");
	return p;
}

#endif
