/* A hash with a secret: SipHash-1-3 (Aumasson, Bernstein: SipHash, 2012). */
#ifndef LEAT_PATTERNS_SIPHASH_H
#define LEAT_PATTERNS_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t leat__siphash(const uint64_t secret[2], const void *data, size_t size);

#endif
