/* Metadata contexts: base:allocation, and two of our own that let clients meet more than one, and one
 * that needs 64 bits. The leaf-name "" finds all of a namespace where contexts are listed, and selects
 * nothing. */
#include <string.h>

#include "reference/context.h"
#include "wire/wire.h"

typedef struct {
    const char *name;
    bool wide; /* has flags beyond 32 bits */
    uint64_t (*status)(uint32_t state);
} Context;

static uint64_t allocation(uint32_t state)
{
    return state;
}

/* Bit 0: there are data. */
static uint64_t data(uint32_t state)
{
    return state & NBD_STATE_HOLE ? 0 : 1;
}

/* Bit 32: there are data; bit 33: there are none. */
static uint64_t wide(uint32_t state)
{
    return UINT64_C(1) << (data(state) ? 32 : 33);
}

static const Context contexts[CONTEXTS] = {
    {"base:allocation", false, allocation},
    {"x-nbdconform:data", false, data},
    {"x-nbdconform:wide", true, wide},
};

const char *context_name(unsigned context)
{
    return contexts[context].name;
}

uint32_t context_id(unsigned context)
{
    return context + 1;
}

ContextSet context_of_id(uint32_t id)
{
    return id >= 1 && id <= CONTEXTS ? 1u << (id - 1) : 0;
}

uint64_t context_status(unsigned context, uint32_t state)
{
    return contexts[context].status(state);
}

ContextSet context_available(bool extended)
{
    ContextSet set = 0;

    for (unsigned i = 0; i < CONTEXTS; i++)
        if (extended || !contexts[i].wide)
            set |= 1u << i;
    return set;
}

unsigned context_take(ContextSet *set, bool last)
{
    gint place = last ? g_bit_nth_msf(*set, -1) : g_bit_nth_lsf(*set, -1);
    unsigned context = (unsigned)MAX(place, 0);

    *set &= ~(1u << context);
    return context;
}

bool context_query(const uint8_t *query, uint32_t length, bool listing, ContextSet *found)
{
    const uint8_t *colon = length > 0 ? memchr(query, ':', length) : NULL;

    if (colon == NULL || colon == query || wire_check_string(query, length) > WIRE_STRING_LONG)
        return false;
    bool wildcard = listing && colon == query + length - 1;
    for (unsigned i = 0; i < CONTEXTS; i++) {
        const char *name = contexts[i].name;
        if (strncmp(name, (const char *)query, length) == 0 && (wildcard || strlen(name) == length))
            *found |= 1u << i;
    }
    return true;
}
