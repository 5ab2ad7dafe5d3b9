/* Writing to many sockets in one go: the optional compiled half of `messaging/connections/sending.py`.
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
#include <sys/socket.h>

#ifndef MSG_NOSIGNAL /* macOS; Python ignores SIGPIPE anyway. */
#define MSG_NOSIGNAL 0
#endif

/* A few writes are over before another thread could make use of the interpreter, and getting it
 * back from one that computes takes milliseconds. */
enum { LET_OTHERS_RUN = 32 };

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

static PyMethodDef methods[] = {
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
