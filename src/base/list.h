/*
 * Intrusive doubly linked list with a head: empty when it points at itself.
 */
#ifndef LEAT_BASE_LIST_H
#define LEAT_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct leat__list {
	struct leat__list *prev, *next;
};

#define leat__container_of(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))

static inline void leat__list_init(struct leat__list *head)
{
	head->prev = head->next = head;
}

static inline bool leat__list_is_empty(const struct leat__list *head)
{
	return head->next == head;
}

static inline void leat__list_append(struct leat__list *head, struct leat__list *node)
{
	node->prev = head->prev;
	node->next = head;
	head->prev->next = node;
	head->prev = node;
}

static inline void leat__list_remove(struct leat__list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	node->next = node->prev = node;
}

#define leat__list_for_each(node, head) \
	for (struct leat__list *node = (head)->next; node != (head); node = node->next)

#endif
