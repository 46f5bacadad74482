import hashlib
import uuid
import time
from datetime import datetime, timezone
from anthropic import Anthropic

class ClaudeAuditLogger:
    def __init__(self, client: Anthropic, audit_store, application_id: str):
        self.client = client
        self.audit_store = audit_store
        self.application_id = application_id

    def create_message(self, user_id: str, session_id: str, messages: list,
                       model: str, system: str = None, **kwargs):
        event_id = str(uuid.uuid4())
        start_time = time.time()

        # Build prompt for hashing
        full_prompt = system or "" + str(messages)
        prompt_hash = hashlib.sha256(full_prompt.encode()).hexdigest()

        # Classify data (simplified - use your DLP classifier here)
        data_class = self._classify_data(full_prompt)

        audit_record = {
            "event_id": event_id,
            "timestamp": datetime.now(timezone.utc).isoformat(),
            "user_id": user_id,
            "session_id": session_id,
            "application_id": self.application_id,
            "model": model,
            "prompt_hash": prompt_hash,
            "data_classification": data_class,
            "status": "initiated"
        }

        try:
            # Make the actual API call
            api_kwargs = {"model": model, "messages": messages, **kwargs}
            if system:
                api_kwargs["system"] = system

            response = self.client.messages.create(**api_kwargs)

            # Update audit record with response data
            response_text = response.content[0].text
            audit_record.update({
                "prompt_tokens": response.usage.input_tokens,
                "completion_tokens": response.usage.output_tokens,
                "response_hash": hashlib.sha256(response_text.encode()).hexdigest(),
                "latency_ms": int((time.time() - start_time) * 1000),
                "status": "success",
                "stop_reason": response.stop_reason
            })

            # Emit to audit store
            self.audit_store.write(audit_record)
            return response

        except Exception as e:
            audit_record.update({
                "status": "error",
                "error_type": type(e).__name__,
                "latency_ms": int((time.time() - start_time) * 1000)
            })
            self.audit_store.write(audit_record)
            raise

    def _classify_data(self, text: str) -> str:
        # Hook your DLP classifier here
        # This is a placeholder that always returns INTERNAL
        return "INTERNAL"
