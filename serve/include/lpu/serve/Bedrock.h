// The dialect of AWS Bedrock: bodies of Converse and InvokeModel, with their streams, and CountTokens. InvokeModel
// takes the body of Meta's models (prompt, max_gen_len), and that of Anthropic's (messages, max_tokens). Pure
// functions, as in every dialect. Source: the Amazon Bedrock API reference
// (docs.aws.amazon.com/bedrock/latest/APIReference) and its user guide's "Inference request parameters" for the bodies
// of models.
#pragma once

#include "lpu/serve/Dialect.h"

#include <string>
#include <string_view>

namespace lpu::serve::bedrock {

/// What a path names behind "/model/", decoded: "tiny/converse-stream". Of an ARN only its last part counts.
struct Target {
  std::string model, action;
};
Target targetOf(std::string_view path);

/// Bounds on tokens are bounds: where the context leaves less, that holds.
OrRefusal<Request> parseConverse(std::string_view body, const Target &target, const RequestLimits &limits = {});
/// A Completion of Meta's body, or a Chat of Anthropic's.
OrRefusal<Request> parseInvoke(std::string_view body, const Target &target, const RequestLimits &limits = {});
/// {"input":{"converse":…}} or {"input":{"invokeModel":{"body":"base64"}}}
OrRefusal<Request> parseCount(std::string_view body, const Target &target, const RequestLimits &limits = {});

/// Answers of Converse and ConverseStream.
class ConverseWriter final : public AnswerWriter {
public:
  ConverseWriter(const Request &request, Identity identity);

  const char *streamType() const override { return "application/vnd.amazon.eventstream"; }
  std::string begin() override;
  std::string token(const Piece &piece) override;
  std::string finish(unsigned choice, FinishReason reason, const std::string &stop) override;
  std::string end(const Usage &usage) override;
  std::string error(const Refusal &refusal) const override;
  std::string silence() const override;
  std::string body(const std::vector<Choice> &choices, const Usage &usage) const override;
  std::string embeddings(const std::vector<std::vector<float>> &, const Usage &) const override { return ""; }
  HttpFields fields() const override { return {{"x-amzn-requestid", identity.id}}; }

private:
  Identity identity;
};

/// Answers of InvokeModel and its stream, for Meta's body. Anthropic's are those of its own dialect in frames.
class InvokeWriter final : public AnswerWriter {
public:
  InvokeWriter(const Request &request, Identity identity);
  ~InvokeWriter() override;

  const char *streamType() const override { return "application/vnd.amazon.eventstream"; }
  std::string begin() override;
  std::string token(const Piece &piece) override;
  std::string finish(unsigned choice, FinishReason reason, const std::string &stop) override;
  std::string end(const Usage &usage) override;
  std::string error(const Refusal &refusal) const override;
  std::string silence() const override { return ""; }
  std::string body(const std::vector<Choice> &choices, const Usage &usage) const override;
  std::string embeddings(const std::vector<std::vector<float>> &, const Usage &) const override { return ""; }
  HttpFields fields() const override;

private:
  Identity identity;
  std::unique_ptr<AnswerWriter> messages; ///< of Anthropic's body; null: Meta's
  std::uint64_t tokens = 0;
  FinishReason reason = FinishReason::Stop;
};

/// {"message","__type"} and x-amzn-errortype. 401 is 403 there; a model that is being loaded is ModelNotReady.
HttpResponse refusal(const Refusal &refusal, const std::string &id);

std::string countBody(std::uint64_t tokens);
/// Of ListFoundationModels and GetFoundationModel.
std::string modelsBody(const std::vector<ModelCard> &cards);
std::string modelBody(const ModelCard &card);

} // namespace lpu::serve::bedrock
