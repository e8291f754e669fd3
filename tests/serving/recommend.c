/* Asks an exported model through TensorFlow's C API.

   recommend DIR USER_ID HISTORY_ITEM_IDS HISTORY_TIMESTAMPS REQUEST_TIME ITEM_IDS SCORES \
             user time [item time]...

   The six names are those of the signature's tensors in the graph, such as "recommend_user_id:0".
   Writes a line "item<TAB>score" for each place of the answer. */
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

int main(int argc, char** argv) {
  if (argc < 10 || argc % 2) {
    fprintf(stderr, "expected a folder, six names, a user, a time and pairs of item and time\n");
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
  int64_t events = (argc - 10) / 2;
  const int64_t one[] = {1}, history[] = {1, events};
  TF_Tensor* values[] = {
      strings(argv + 8, 1, 1, one, 1),
      strings(argv + 10, events, 2, history, 2),
      integers(argv + 11, events, 2, history, 2),
      integers(argv + 9, 1, 1, one, 1),
  };
  TF_Tensor* answers[2] = {NULL, NULL};
  TF_SessionRun(session, NULL, inputs, values, 4, outputs, answers, 2, NULL, 0, NULL, status);
  check(status, "run");

  const TF_TString* ids = TF_TensorData(answers[0]);
  const float* scores = TF_TensorData(answers[1]);
  for (int64_t i = 0; i < TF_Dim(answers[0], 1); ++i) {
    printf("%.*s\t%.9g\n", (int)TF_StringGetSize(&ids[i]), TF_StringGetDataPointer(&ids[i]),
           scores[i]);
  }
  for (int i = 0; i < 4; ++i) TF_DeleteTensor(values[i]);
  for (int i = 0; i < 2; ++i) TF_DeleteTensor(answers[i]);
  TF_CloseSession(session, status);
  TF_DeleteSession(session, status);
  TF_DeleteSessionOptions(options);
  TF_DeleteGraph(graph);
  TF_DeleteStatus(status);
  return 0;
}
