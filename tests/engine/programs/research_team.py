"""The research team of seven, as AutoGen 0.2's group chat example is written."""

import studio.engine as autogen

config_list = autogen.config_list_from_json(
    "OAI_CONFIG_LIST",
    filter_dict={"model": ["gpt-4", "gpt-4o"]},
)
gpt4_config = {
    "cache_seed": 42,
    "temperature": 0,
    "config_list": config_list,
    "timeout": 120,
}
user_proxy = autogen.UserProxyAgent(
    name="Admin",
    system_message="A human admin. Plan execution needs to be approved by this admin.",
    code_execution_config=False,
)
engineer = autogen.AssistantAgent(
    name="Engineer",
    llm_config=gpt4_config,
    system_message="Engineer. You follow an approved plan. You write python/sh code blocks.",
)
scientist = autogen.AssistantAgent(
    name="Scientist",
    llm_config=gpt4_config,
    system_message="Scientist. You categorize papers after seeing their abstracts. No code.",
)
planner = autogen.AssistantAgent(
    name="Planner",
    system_message="Planner. Suggest a plan. Revise it until admin approval.",
    llm_config=gpt4_config,
)
executor = autogen.UserProxyAgent(
    name="Executor",
    system_message="Executor. Execute the code written by the engineer and report the result.",
    human_input_mode="NEVER",
    code_execution_config={
        "last_n_messages": 3,
        "work_dir": "paper",
        "use_docker": False,
    },
)
critic = autogen.AssistantAgent(
    name="Critic",
    system_message="Critic. Double check plan, claims, code from other agents.",
    llm_config=gpt4_config,
)
writer = autogen.AssistantAgent(
    name="ResearchWriter",
    system_message="ResearchWriter. You write the report in markdown.",
    llm_config=gpt4_config,
)
groupchat = autogen.GroupChat(
    agents=[user_proxy, planner, engineer, scientist, executor, critic, writer],
    messages=[],
    max_round=50,
)
manager = autogen.GroupChatManager(groupchat=groupchat, llm_config=gpt4_config)

user_proxy.initiate_chat(
    manager,
    message="Write a 4 paragraph research report about how to use LLMs to enhance personal "
    "productivity?",
)
