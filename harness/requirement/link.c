/* Links a requirement to the chapter of the published specification that states it.
 *
 * A requirement's source is a line of one revision of a document (cases/requirements.tsv). Lines move,
 * headings rarely do: so the link goes to the anchor that GitHub makes of the heading above the line.
 */
#include <glib.h>
#include <string.h>

#include "requirement/requirement.h"

typedef struct {
    unsigned long line; /* of the heading */
    const char *anchor;
} Heading;

static const Heading protocol_headings[] = {
    {1, "the-nbd-protocol"},
    {3, "introduction"},
    {19, "conventions"},
    {44, "protocol-phases"},
    {79, "handshake"},
    {95, "oldstyle-negotiation"},
    {115, "newstyle-negotiation"},
    {177, "fixed-newstyle-negotiation"},
    {217, "termination-of-the-session-during-option-haggling"},
    {281, "transmission"},
    {314, "ordering-of-messages-and-writes"},
    {347, "request-message"},
    {359, "simple-reply-message"},
    {375, "structured-reply-chunk-message"},
    {431, "terminating-the-transmission-phase"},
    {466, "reserved-magic-values"},
    {491, "tls-support"},
    {505, "certificates-authentication-and-authorisation"},
    {515, "server-side-requirements"},
    {558, "notls-mode"},
    {567, "forcedtls-mode"},
    {603, "selectivetls-mode"},
    {636, "client-side-requirements"},
    {707, "security-considerations"},
    {709, "tls-versions"},
    {719, "protocol-downgrade-attacks"},
    {759, "size-constraints"},
    {886, "metadata-querying"},
    {981, "the-base-metadata-namespace"},
    {1002, "baseallocation-metadata-context"},
    {1040, "values"},
    {1048, "handshake-phase"},
    {1050, "flag-fields"},
    {1052, "handshake-flags"},
    {1073, "client-flags"},
    {1091, "transmission-flags"},
    {1159, "option-types"},
    {1524, "option-reply-types"},
    {1709, "transmission-phase"},
    {1711, "flag-fields-1"},
    {1713, "command-flags"},
    {1766, "structured-reply-flags"},
    {1784, "structured-reply-types"},
    {1944, "request-types"},
    {2304, "error-values"},
    {2361, "experimental-extensions"},
    {2392, "compatibility-and-interoperability"},
    {2409, "baseline"},
    {2438, "maximum-interoperability"},
    {2460, "future-considerations"},
    {2469, "about-this-file"},
};

static const Heading uri_headings[] = {
    {1, "the-nbd-uniform-resource-indicator-uri-format"},
    {3, "introduction"},
    {8, "convention"},
    {24, "related-standards"},
    {36, "nbd-uri-components"},
    {54, "nbd-uri-scheme"},
    {82, "nbd-uri-authority"},
    {109, "nbd-uri-export-name"},
    {131, "nbd-uri-socket-parameter"},
    {145, "nbd-uri-query-parameters-related-to-tls"},
    {163, "other-nbd-uri-query-parameters"},
    {172, "clients-which-do-not-support-tls"},
};

#define PUBLISHED "https://github.com/NetworkBlockDevice/nbd/blob/"

typedef struct {
    const char *file; /* as sources call it */
    const char *url;
    const Heading *headings; /* NULL: the link leads to the document as a whole */
    size_t count;
} Document;

static const Document documents[] = {
    {"proto.md", PUBLISHED "master/doc/proto.md", protocol_headings,
     G_N_ELEMENTS(protocol_headings)},
    {"uri.md", PUBLISHED "master/doc/uri.md", uri_headings, G_N_ELEMENTS(uri_headings)},
    /* Extensions are published as branches that change the whole document. */
    {"proto-ext-header.md", PUBLISHED "extension-ext-header/doc/proto.md", NULL, 0},
    {"proto-resize.md", PUBLISHED "extension-resize/doc/proto.md", NULL, 0},
};

static char *link_to_line(const Document *document, guint64 line)
{
    const char *anchor = NULL;

    for (size_t i = 0; i < document->count && document->headings[i].line <= line; i++)
        anchor = document->headings[i].anchor;
    if (anchor == NULL)
        return g_strdup(document->url);
    return g_strconcat(document->url, "#", anchor, NULL);
}

char *requirement_link(const Requirement *requirement)
{
    const char *colon = strchr(requirement->source, ':');

    if (colon == NULL)
        return NULL;
    g_autofree char *file = g_strndup(requirement->source, (gsize)(colon - requirement->source));
    /* Where several lines are given, the first is the sentence itself. */
    guint64 line = g_ascii_strtoull(colon + 1, NULL, 10);

    for (size_t i = 0; i < G_N_ELEMENTS(documents); i++)
        if (g_str_equal(file, documents[i].file))
            return link_to_line(&documents[i], line);
    return NULL;
}
