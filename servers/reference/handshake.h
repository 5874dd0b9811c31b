/* What the files that answer options share. */
#ifndef NBDCONFORM_REFERENCE_HANDSHAKE_H
#define NBDCONFORM_REFERENCE_HANDSHAKE_H

#include "reference/message.h"

void handshake_reply_error(Connection *c, uint32_t type, const char *text);

/* The export called NAME, and what this client is told of it; NULL if there is none. */
const Export *handshake_find_export(Connection *c, const uint8_t *name, size_t length,
                                    ExportFacts *facts);

/* True if the export, or the server as a whole, is not for clients in the clear. */
/* Whether the pending option is to be refused for want of TLS. */
bool handshake_is_bare(const Connection *c);

void handshake_begin_transmission(Connection *c, const Export *export, const ExportFacts *facts);

/* Answers to options, with their data. */
void answer_info(Connection *c, const uint8_t *data, uint32_t length);
void answer_list_meta_context(Connection *c, const uint8_t *data, uint32_t length);
void answer_set_meta_context(Connection *c, const uint8_t *data, uint32_t length);

#endif
