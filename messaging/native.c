/* Reading a frame and writing to many sockets: the optional compiled half of
 * `messaging/connections/frame_io.py`.
 *
 * The event loop's thread owns the sockets and stays in here until all are written to, so none
 * of them can be closed, or its number given to another client, meanwhile. Nothing waits: a
 * socket that takes no more is reported, and its wire sees to the rest. The stable ABI of
 * Python 3.11 is all that is used.
 */
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030b0000
#include <Python.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#ifndef MSG_NOSIGNAL /* macOS; Python ignores SIGPIPE anyway. */
#define MSG_NOSIGNAL 0
#endif

/* A few writes are over before another thread could make use of the interpreter, and getting it
 * back from one that computes takes milliseconds. */
enum { LET_OTHERS_RUN = 32 };

/* The first byte of a message in one frame, and the bit of a mask in the second (RFC 6455, 5.2). */
enum { WHOLE_TEXT = 0x81, WHOLE_BINARY = 0x82, MASKED = 0x80 };

struct piece {
    int socket;           /* below 0: left out */
    const char *bytes;    /* held by the caller's list */
    Py_ssize_t size;
    Py_ssize_t written;   /* -1: the connection is broken */
};

/* How many pieces were not written to their end. */
static Py_ssize_t write_pieces(struct piece *pieces, Py_ssize_t count)
{
    Py_ssize_t unfinished = 0;
    for (struct piece *piece = pieces; piece < pieces + count; piece++) {
        ssize_t written = 0;
        if (piece->socket >= 0) {
            do {
                written = send(piece->socket, piece->bytes, (size_t)piece->size,
                               MSG_DONTWAIT | MSG_NOSIGNAL);
            } while (written < 0 && errno == EINTR);
            if (written < 0)
                written = errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -1;
        }
        piece->written = written;
        unfinished += written != piece->size;
    }
    return unfinished;
}

/* [(index, bytes written)] of what was not written to its end. */
static PyObject *shortfalls(const struct piece *pieces, Py_ssize_t count)
{
    PyObject *found = PyList_New(0);
    for (Py_ssize_t i = 0; found && i < count; i++) {
        if (pieces[i].written == pieces[i].size)
            continue;
        PyObject *shortfall = Py_BuildValue("(nn)", i, pieces[i].written);
        if (!shortfall || PyList_Append(found, shortfall))
            Py_CLEAR(found);
        Py_XDECREF(shortfall);
    }
    return found;
}

/* Writes to each of `sockets`: one frame to all (`frames` is NULL), or to each its own. */
static PyObject *write_all(PyObject *sockets, PyObject *frame, PyObject *frames)
{
    Py_ssize_t count = PyList_Size(sockets), unfinished;
    PyObject *result = NULL;
    if (count < 0)
        return NULL;
    struct piece *pieces = PyMem_Calloc(count ? (size_t)count : 1, sizeof *pieces);
    if (!pieces)
        return PyErr_NoMemory();
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *bytes = frames ? PyList_GetItem(frames, i) : frame;
        char *start;
        long socket = PyLong_AsLong(PyList_GetItem(sockets, i));
        if ((socket == -1 && PyErr_Occurred()) || !bytes
            || PyBytes_AsStringAndSize(bytes, &start, &pieces[i].size))
            goto done;
        pieces[i].socket = socket < 0 || socket > INT_MAX ? -1 : (int)socket;
        pieces[i].bytes = start;
    }
    if (count < LET_OTHERS_RUN) {
        unfinished = write_pieces(pieces, count);
    } else {
        Py_BEGIN_ALLOW_THREADS
        unfinished = write_pieces(pieces, count);
        Py_END_ALLOW_THREADS
    }
    result = unfinished ? shortfalls(pieces, count) : PyList_New(0);
done:
    PyMem_Free(pieces);
    return result;
}

static PyObject *write_to_all(PyObject *module, PyObject *args)
{
    PyObject *sockets, *frame;
    (void)module;
    if (!PyArg_ParseTuple(args, "OS", &sockets, &frame))
        return NULL;
    return write_all(sockets, frame, NULL);
}

static PyObject *write_to_each(PyObject *module, PyObject *args)
{
    PyObject *sockets, *frames;
    (void)module;
    if (!PyArg_ParseTuple(args, "OO", &sockets, &frames))
        return NULL;
    return write_all(sockets, NULL, frames);
}

/* Takes the mask off (RFC 6455, 5.3); whether any byte is beyond ASCII. */
static int unmask(char *to, const char *from, size_t size, const char *mask)
{
    uint32_t four;
    uint64_t wide, seen = 0;
    size_t i = 0;
    unsigned char one = 0;
    memcpy(&four, mask, 4);
    const uint64_t eight = (uint64_t)four << 32 | four;
    for (; i + 8 <= size; i += 8) {
        memcpy(&wide, from + i, 8);
        wide ^= eight;
        seen |= wide;
        memcpy(to + i, &wide, 8);
    }
    for (; i < size; i++)
        one |= (unsigned char)(to[i] = from[i] ^ mask[i & 3]);
    return (seen & UINT64_C(0x8080808080808080)) != 0 || one & 0x80;
}

/* The payload of `data` if it is one whole frame of a client, text or binary, of `limit` bytes
 * at most; None for everything else, also for text that is not UTF-8. */
static PyObject *whole_message(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    char *bytes;
    Py_ssize_t size, limit, start = 6;
    (void)module;
    if (count != 2) {
        PyErr_SetString(PyExc_TypeError, "whole_message takes data and a limit");
        return NULL;
    }
    if (PyBytes_AsStringAndSize(args[0], &bytes, &size))
        return NULL;
    limit = PyLong_AsSsize_t(args[1]);
    if (limit == -1 && PyErr_Occurred())
        return NULL;
    const unsigned char *head = (const unsigned char *)bytes;
    if (size < start || (head[0] != WHOLE_TEXT && head[0] != WHOLE_BINARY) || head[1] < MASKED)
        Py_RETURN_NONE;
    Py_ssize_t length = head[1] - MASKED;
    if (length == 126) {
        start = 8;
        length = head[2] << 8 | head[3];
    } else if (length == 127) {
        Py_RETURN_NONE;
    }
    if (size != start + length || length > limit)
        Py_RETURN_NONE;
    PyObject *payload = PyBytes_FromStringAndSize(NULL, length);
    if (!payload)
        return NULL;
    char *to = PyBytes_AsString(payload);
    if (unmask(to, bytes + start, (size_t)length, bytes + start - 4) && head[0] == WHOLE_TEXT) {
        PyObject *text = PyUnicode_DecodeUTF8(to, length, "strict");
        if (!text) {
            Py_DECREF(payload);
            if (!PyErr_ExceptionMatches(PyExc_UnicodeDecodeError))
                return NULL;
            PyErr_Clear();
            Py_RETURN_NONE;
        }
        Py_DECREF(text);
    }
    return payload;
}

static PyMethodDef methods[] = {
    {"whole_message", (PyCFunction)(void (*)(void))whole_message, METH_FASTCALL, NULL},
    {"write_to_all", write_to_all, METH_VARARGS, NULL},
    {"write_to_each", write_to_each, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "messaging.native", NULL, 0, methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit_native(void)
{
    return PyModuleDef_Init(&definition);
}
