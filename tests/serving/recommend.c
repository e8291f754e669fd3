/* Asks an exported model through TensorFlow's C API.

   recommend DIR USER_ID HISTORY_ITEM_IDS HISTORY_TIMESTAMPS REQUEST_TIME ITEM_IDS SCORES

   The six names are those of the signature's tensors in the graph, such as "recommend_user_id:0".
   Reads a request a line: user, time, then item and time of each event, all separated by tabs.
   Writes a line "item<TAB>score" for each place of an answer, and an empty line after it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensorflow/c/c_api.h"
#include "tensorflow/c/tf_tstring.h"

static void check(const TF_Status* status, const char* what) {
  if (TF_GetCode(status) != TF_OK) {
    fprintf(stderr, "%s: %s\n", what, TF_Message(status));
    exit(1);
  }
}

static TF_Output tensor_of(TF_Graph* graph, const char* name) {
  char operation[256];
  const char* colon = strrchr(name, ':');
  size_t length = colon ? (size_t)(colon - name) : strlen(name);
  if (length >= sizeof operation) exit(1);
  memcpy(operation, name, length);
  operation[length] = 0;
  TF_Output output = {TF_GraphOperationByName(graph, operation), colon ? atoi(colon + 1) : 0};
  if (!output.oper) {
    fprintf(stderr, "no operation %s\n", operation);
    exit(1);
  }
  return output;
}

/* A tensor of every `step`-th argument from `first` on. */
static TF_Tensor* strings(char** first, int64_t count, int step, const int64_t* dims, int rank) {
  TF_Tensor* tensor = TF_AllocateTensor(TF_STRING, dims, rank, count * sizeof(TF_TString));
  TF_TString* data = TF_TensorData(tensor);
  for (int64_t i = 0; i < count; ++i) {
    TF_StringInit(&data[i]);
    TF_StringCopy(&data[i], first[i * step], strlen(first[i * step]));
  }
  return tensor;
}

static TF_Tensor* integers(char** first, int64_t count, int step, const int64_t* dims, int rank) {
  TF_Tensor* tensor = TF_AllocateTensor(TF_INT64, dims, rank, count * sizeof(int64_t));
  int64_t* data = TF_TensorData(tensor);
  for (int64_t i = 0; i < count; ++i) data[i] = strtoll(first[i * step], NULL, 10);
  return tensor;
}

static void ask(TF_Session* session, const TF_Output* inputs, const TF_Output* outputs, char** told,
                int count) {
  int64_t events = (count - 2) / 2;
  const int64_t one[] = {1}, history[] = {1, events};
  TF_Tensor* values[] = {
      strings(told, 1, 1, one, 1),
      strings(told + 2, events, 2, history, 2),
      integers(told + 3, events, 2, history, 2),
      integers(told + 1, 1, 1, one, 1),
  };
  TF_Tensor* answers[2] = {NULL, NULL};
  TF_Status* status = TF_NewStatus();
  TF_SessionRun(session, NULL, inputs, values, 4, outputs, answers, 2, NULL, 0, NULL, status);
  check(status, "run");
  TF_DeleteStatus(status);

  const TF_TString* ids = TF_TensorData(answers[0]);
  const float* scores = TF_TensorData(answers[1]);
  for (int64_t i = 0; i < TF_Dim(answers[0], 1); ++i) {
    printf("%.*s\t%.9g\n", (int)TF_StringGetSize(&ids[i]), TF_StringGetDataPointer(&ids[i]),
           scores[i]);
  }
  printf("\n");
  for (int i = 0; i < 4; ++i) TF_DeleteTensor(values[i]);
  for (int i = 0; i < 2; ++i) TF_DeleteTensor(answers[i]);
}

/* Splits a line at its tabs, in place; returns how many parts there are, at most `limit`. */
static int split(char* line, char** parts, int limit) {
  int count = 0;
  line[strcspn(line, "\n")] = 0;
  for (char* at = line; at && count < limit; ++count) {
    parts[count] = at;
    at = strchr(at, '\t');
    if (at) *at++ = 0;
  }
  return count;
}

enum { MAX_PARTS = 4096, MAX_LINE = 1 << 18 };

int main(int argc, char** argv) {
  static char line[MAX_LINE];
  static char* parts[MAX_PARTS];
  if (argc != 8) {
    fprintf(stderr, "expected a folder and six names, got %d arguments\n", argc - 1);
    return 2;
  }
  const char* tags[] = {"serve"};
  TF_Status* status = TF_NewStatus();
  TF_Graph* graph = TF_NewGraph();
  TF_SessionOptions* options = TF_NewSessionOptions();
  TF_Session* session =
      TF_LoadSessionFromSavedModel(options, NULL, argv[1], tags, 1, graph, NULL, status);
  check(status, "load");

  TF_Output inputs[4], outputs[2];
  for (int i = 0; i < 4; ++i) inputs[i] = tensor_of(graph, argv[2 + i]);
  for (int i = 0; i < 2; ++i) outputs[i] = tensor_of(graph, argv[6 + i]);
  while (fgets(line, sizeof line, stdin)) {
    int count = split(line, parts, MAX_PARTS);
    if (count < 2 || count % 2) {
      fprintf(stderr, "expected a user, a time and pairs of item and time\n");
      return 2;
    }
    ask(session, inputs, outputs, parts, count);
  }
  TF_CloseSession(session, status);
  TF_DeleteSession(session, status);
  TF_DeleteSessionOptions(options);
  TF_DeleteGraph(graph);
  TF_DeleteStatus(status);
  return 0;
}
