/* Metadata contexts: what a server names in reply to LIST_ and SET_META_CONTEXT, what the last SET has
 * selected, and what was named before extended headers were negotiated. */
#include <string.h>

#include "session/private.h"

void session_named_free(SessionNamed *named)
{
    g_free(named->name);
    g_free(named);
}

static SessionNamed *named_new(const SessionMessage *message)
{
    SessionNamed *named = g_new0(SessionNamed, 1);
    size_t head = wire_layout(WIRE_META_CONTEXT)->size;
    size_t length = MIN(message->data->len - head, (size_t)NBD_MAX_STRING);

    named->id = (uint32_t)message->inner_value[META_CONTEXT_ID];
    named->name = g_malloc(length + 1);
    for (size_t i = 0; i < length; i++) {
        char c = (char)message->data->data[head + i];
        named->name[i] = c == '\0' ? '?' : c;
    }
    named->name[length] = '\0';
    return named;
}

void session_note_context(SessionOption *option, const SessionMessage *message)
{
    if (message->inner != WIRE_META_CONTEXT || option->named->len >= SESSION_MAX_CONTEXTS ||
        option->named_bytes + message->data->len > SESSION_MAX_CONTEXT_BYTES) {
        option->named_cut = true;
        return;
    }
    option->named_bytes += message->data->len;
    g_ptr_array_add(option->named, named_new(message));
}

void session_forget_contexts(Session *session)
{
    g_ptr_array_set_size(session->contexts, 0);
    session->contexts_cut = false;
    session->facts.contexts = 0;
    g_clear_pointer(&session->contexts_export, g_bytes_unref);
}

void session_note_narrow(Session *session, const SessionOption *option)
{
    SessionNarrow told =
        option->option == NBD_OPT_SET_META_CONTEXT ? NARROW_SELECTED : NARROW_LISTED;

    if (session->facts.extended)
        return;
    for (guint i = 0; i < option->named->len; i++) {
        const char *name = ((const SessionNamed *)option->named->pdata[i])->name;
        unsigned before = session_told_narrow(session, name);
        if (before == 0 && (g_hash_table_size(session->narrow) >= SESSION_MAX_CONTEXTS ||
                            session->narrow_bytes + strlen(name) > SESSION_MAX_CONTEXT_BYTES))
            continue;
        if (before == 0)
            session->narrow_bytes += strlen(name);
        g_hash_table_replace(session->narrow, g_strdup(name), GUINT_TO_POINTER(before | told));
    }
}

unsigned session_told_narrow(const Session *session, const char *name)
{
    return GPOINTER_TO_UINT(g_hash_table_lookup(session->narrow, name));
}

/* The contexts of OPTION, a SET that has succeeded, are those that hold now. */
void session_select_contexts(Session *session, SessionOption *option)
{
    session_forget_contexts(session);
    for (guint i = 0; i < option->named->len; i++)
        g_ptr_array_add(session->contexts, option->named->pdata[i]);
    g_ptr_array_set_free_func(option->named, NULL);
    g_ptr_array_set_size(option->named, 0);
    session->contexts_cut = option->named_cut;
    session->facts.contexts = session->contexts->len;
    if (option->contexts_parsed)
        session->contexts_export =
            g_bytes_new(option->contexts.export_name, option->contexts.export_length);
}

/* EXPORT_NAME may be NULL: it was not seen whole. It is taken over. */
void session_enter(Session *session, GBytes *export_name)
{
    g_clear_pointer(&session->entered, g_bytes_unref);
    session->entered = export_name;
    session->facts.contexts_apply = session->facts.contexts > 0 && export_name != NULL &&
                                    session->contexts_export != NULL &&
                                    g_bytes_equal(export_name, session->contexts_export);
}

SessionContext session_context(const Session *session, size_t index)
{
    const SessionNamed *named = session->contexts->pdata[index];

    return (SessionContext){.id = named->id, .name = named->name};
}

bool session_find_context(const Session *session, uint32_t id, SessionContext *context)
{
    for (guint i = 0; i < session->contexts->len; i++) {
        *context = session_context(session, i);
        if (context->id == id)
            return true;
    }
    return false;
}

bool session_in_namespace(const char *name, const char *space)
{
    size_t length = strlen(space);

    return strncmp(name, space, length) == 0 && name[length] == ':';
}
