"""The assistant and its user proxy, as AutoGen 0.2's first example is written."""

from studio.engine import AssistantAgent, UserProxyAgent, config_list_from_json

config_list = config_list_from_json(env_or_file="OAI_CONFIG_LIST")

assistant = AssistantAgent(
    name="assistant",
    llm_config={
        "cache_seed": 42,
        "config_list": config_list,
        "temperature": 0,
    },
)
user_proxy = UserProxyAgent(
    name="user_proxy",
    human_input_mode="NEVER",
    max_consecutive_auto_reply=10,
    is_termination_msg=lambda x: x.get("content", "").rstrip().endswith("TERMINATE"),
    code_execution_config={
        "work_dir": "coding",
        "use_docker": False,
    },
)
chat_res = user_proxy.initiate_chat(
    assistant,
    message="What date is today? Compare the year-to-date gain for META and TESLA.",
    summary_method="reflection_with_llm",
)
print("Summary:", chat_res.summary)
print("Cost:", chat_res.cost["usage_excluding_cached_inference"]["total_cost"])
