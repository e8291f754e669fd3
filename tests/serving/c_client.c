/* Loads a SavedModel through TensorFlow's C API and prints the answer to one request:
   c_client FOLDER USER REQUEST_TIME [ITEM TIME]... ; a line "id score" for each recommendation. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensorflow/c/c_api.h"
#include "tensorflow/c/tf_tstring.h"

static void check(TF_Status* status) {
  if (TF_GetCode(status) != TF_OK) {
    fprintf(stderr, "%s\n", TF_Message(status));
    exit(1);
  }
}

static TF_Tensor* strings(char** values, int stride, int64_t* dims, int num_dims, int count) {
  TF_Tensor* tensor = TF_AllocateTensor(TF_STRING, dims, num_dims, count * sizeof(TF_TString));
  TF_TString* data = TF_TensorData(tensor);
  for (int i = 0; i < count; i++) {
    TF_StringInit(&data[i]);
    TF_StringCopy(&data[i], values[i * stride], strlen(values[i * stride]));
  }
  return tensor;
}

static TF_Tensor* integers(char** values, int stride, int64_t* dims, int num_dims, int count) {
  TF_Tensor* tensor = TF_AllocateTensor(TF_INT64, dims, num_dims, count * sizeof(int64_t));
  int64_t* data = TF_TensorData(tensor);
  for (int i = 0; i < count; i++) data[i] = atoll(values[i * stride]);
  return tensor;
}

/* "serving_default_user_id:0" and the like are given in the variables IN_0..3 and OUT_0..1. */
static TF_Output place(TF_Graph* graph, const char* variable) {
  char name[256];
  snprintf(name, sizeof name, "%s", getenv(variable));
  char* colon = strchr(name, ':');
  int index = colon ? atoi(colon + 1) : 0;
  if (colon) *colon = 0;
  TF_Output output = {TF_GraphOperationByName(graph, name), index};
  if (!output.oper) {
    fprintf(stderr, "no operation %s\n", name);
    exit(1);
  }
  return output;
}

int main(int argc, char** argv) {
  TF_Status* status = TF_NewStatus();
  TF_Graph* graph = TF_NewGraph();
  const char* tags[] = {"serve"};
  TF_Session* session = TF_LoadSessionFromSavedModel(TF_NewSessionOptions(), NULL, argv[1], tags, 1,
                                                     graph, NULL, status);
  check(status);
  int num_events = (argc - 4) / 2;
  int64_t one[] = {1}, history[] = {1, num_events};
  TF_Output inputs[] = {place(graph, "IN_0"), place(graph, "IN_1"), place(graph, "IN_2"),
                        place(graph, "IN_3")};
  TF_Tensor* values[] = {strings(argv + 2, 1, one, 1, 1),
                         strings(argv + 4, 2, history, 2, num_events),
                         integers(argv + 5, 2, history, 2, num_events),
                         integers(argv + 3, 1, one, 1, 1)};
  TF_Output outputs[] = {place(graph, "OUT_0"), place(graph, "OUT_1")};
  TF_Tensor* answer[2];
  TF_SessionRun(session, NULL, inputs, values, 4, outputs, answer, 2, NULL, 0, NULL, status);
  check(status);
  TF_TString* ids = TF_TensorData(answer[0]);
  float* scores = TF_TensorData(answer[1]);
  for (int64_t i = 0; i < TF_Dim(answer[0], 1); i++)
    printf("%.*s %.9g\n", (int)TF_StringGetSize(&ids[i]), TF_StringGetDataPointer(&ids[i]), scores[i]);
  return 0;
}
